// A class activation map, and the channels it is the sum of.

import { countOfChannels, tickRow } from "./explain_channels.js";
import {
  aboutOf,
  evenly,
  floatsOf,
  formatSeconds,
  largestOf,
  lesson,
  overlay,
  rankedRows,
  runButton,
} from "./explain_parts.js";
import { refill } from "./refill.js";
import { change, element, formatNumber, setTrait } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

const CAM_METHODS = [
  ["grad-cam", "Grad-CAM"],
  ["grad-cam++", "Grad-CAM++"],
  ["layer-cam", "Layer-CAM"],
  ["score-cam", "Score-CAM (slow)"],
];

/** @param {Panel} panel */
export function camSection(panel) {
  const { model } = panel;
  const method = element(
    "select",
    { class: "rw-select", "aria-label": "Method" },
    ...CAM_METHODS.map(([value, text]) => element("option", { value, text })),
  );
  const picture = overlay("Class activation map over the photo");
  const count = element("input", { type: "range", min: 0, value: 0 });
  count.setAttribute("aria-label", "How many channels are added up");
  const countText = element("output");
  const sum = element(
    "label",
    { class: "rw-why-blend", hidden: true },
    element("span", { text: "sum of" }),
    count,
    countText,
  );
  const run = runButton("Compute", computeNow, () => panel.cancel("cam"));
  const title = element("b");
  const by = element(
    "select",
    { class: "rw-select", "aria-label": "Channels ranked by" },
    element("option", { value: "contribution", text: "by what they add" }),
    element("option", { value: "weight", text: "by weight α" }),
  );
  const head = element(
    "div",
    { class: "rw-why-head", hidden: true },
    element("div", { class: "rw-why-where" }, title),
    by,
  );
  const list = element("div", { class: "rw-why-list", role: "group" });
  list.setAttribute("aria-label", "Channels that make the map");
  const turn = element("button", { type: "button" });
  turn.addEventListener("click", () => panel.open("knobs"));
  const node = element(
    "div",
    { class: "rw-why-columns" },
    element(
      "div",
      {},
      element("div", { class: "rw-why-controls" }, method, run.node),
      picture.node,
      sum,
    ),
    element("div", {}, head, list, turn),
    lesson(
      "Where the layer you have chosen speaks for the class, and the channels that say so, each with its weight α and what it adds.",
      "Move “sum of” to 1 and let it grow: if few channels make the map, few ideas decide. A late layer says what, coarsely; an early one where, but hardly why.",
      [
        "Grad-CAM: L = ReLU(Σₖ αₖ Aₖ), αₖ = mean over the cells of ∂yᶜ/∂Aₖ",
        "Selvaraju et al. 2017, Grad-CAM",
        "https://arxiv.org/abs/1610.02391",
      ],
      [
        "Grad-CAM++: αₖ = Σ g² / (2 g² + g³ Σ Aₖ) · ReLU(g), g = ∂yᶜ/∂Aₖ, summed over the cells",
        "Chattopadhay et al. 2018, Grad-CAM++, equations 10 and 19",
        "https://arxiv.org/abs/1710.11063",
      ],
      [
        "Layer-CAM: L = ReLU(Σₖ ReLU(∂yᶜ/∂Aₖ) Aₖ), a weight for each cell",
        "Jiang et al. 2021, LayerCAM",
        "https://doi.org/10.1109/TIP.2021.3089943",
      ],
      [
        "Score-CAM: αₖ = softmax over k of yᶜ(photo × Aₖ, enlarged and brought to 0…1)",
        "Wang et al. 2020, Score-CAM",
        "https://arxiv.org/abs/1910.01279",
      ],
    ),
  );
  /** @type {any} */
  let cam = null;
  /** @type {Float32Array} */
  let sums = new Float32Array();
  /** @type {{ channel: number, pick: HTMLElement, mark: () => void, node: HTMLElement }[]} */
  let shown = [];
  /** What the newest question is about. */
  let asked = "";

  /** What is known of another photo, layer or class must not stand as if it were of this one. */
  function clear() {
    cam = null;
    sum.hidden = head.hidden = true;
    refill(list, []);
    shown = [];
    title.textContent = countText.textContent = "";
    picture.show(null);
  }

  function draw() {
    if (!cam) return;
    const [height, width] = cam.shape;
    const index = Math.min(Number(count.value), cam.counts.length - 1);
    const cells = height * width;
    const values = sums.subarray(index * cells, (index + 1) * cells);
    countText.textContent = `${cam.counts[index]} of ${cam.channels} channels`;
    // One scale for all sums, so that one sees the map grow, and where channels take away shrink.
    picture.show({ values, height, width, signed: false, limit: largestOf(sums) });
  }

  function showList() {
    if (!cam) return;
    const isByWeight = by.value === "weight";
    /** @type {[channel: number, alpha: number, share: number][]} */
    const ranked = cam.rows[by.value];
    const format = evenly(ranked.map(([, alpha, share]) => (isByWeight ? share : alpha)));
    const rows = ranked.map(([channel, alpha, share]) => ({
      name: `ch ${channel}`,
      aside: isByWeight ? `adds ${format(share)}` : `α ${format(alpha)}`,
      value: isByWeight ? alpha : share,
      title: `α = ${formatNumber(alpha)}, adds ${formatNumber(share)} to the mean of the map`,
    }));
    const picks = rankedRows(rows, (index) => {
      setTrait(model, "channel", ranked[index][0]);
      markHere();
    });
    shown = picks.map((pick, index) => {
      const [channel] = ranked[index];
      return { ...tickRow(panel, cam.layer, channel, pick), channel, pick };
    });
    refill(
      list,
      shown.map(({ node }) => node),
    );
    markHere();
  }

  function markHere() {
    for (const { channel, pick } of shown) {
      const isHere = channel === model.get("channel") && cam.layer === model.get("layer");
      change(pick, { "aria-pressed": String(isHere) });
    }
  }

  function showChosen() {
    const count = panel.chosen.get()?.length ?? 0;
    turn.hidden = count === 0;
    turn.textContent = `Turn the knobs of ${countOfChannels(count)}`;
    for (const { mark } of shown) mark();
  }

  async function computeNow() {
    const mine = asked;
    // The gradient of a layer is traced when it is first asked for, which can take seconds.
    run.node.hidden = method.value !== "score-cam";
    run.set(true, `The layers after ${model.get("layer")}, forward and backward …`);
    const late = setTimeout(() => {
      run.node.hidden = false;
    }, 400);
    const options = {
      layer: model.get("layer"),
      method: method.value,
      target: model.get("target"),
    };
    try {
      const answer = await panel.ask("cam", options, run.progress);
      if (!answer || mine !== asked) return;
      cam = answer.data;
      sum.hidden = head.hidden = false;
      sums = floatsOf(answer.buffers[0]);
      title.textContent = `${cam.label} · ${cam.layer}`;
      count.max = String(cam.counts.length - 1);
      count.value = count.max;
      run.set(false, method.value === "score-cam" ? "The 64 channels that vary most" : "");
      run.node.hidden = method.value !== "score-cam";
      draw();
      showList();
    } catch (error) {
      if (mine !== asked) return;
      clear();
      run.set(false, /** @type {Error} */ (error).message);
      run.node.hidden = false;
    } finally {
      clearTimeout(late);
    }
  }

  async function estimate() {
    panel.cancel("cam");
    run.node.hidden = false;
    run.set(false);
    const answer = await panel.ask("estimate", { method: "score-cam", steps: 64 });
    if (answer) run.say(`takes about ${formatSeconds(answer.data.seconds)}`);
  }

  async function refresh() {
    const now = method.value + aboutOf(model, "layer", "target");
    if (now === asked) {
      markHere();
      // Another section may have fetched it anew, and closed the one that is shown.
      const photo = await panel.picture();
      if (now === asked) picture.setPhoto(photo);
      return;
    }
    asked = now;
    clear();
    try {
      picture.setPhoto(await panel.picture());
      if (now !== asked) return;
      await (method.value === "score-cam" ? estimate() : computeNow());
    } catch (error) {
      // So that the next look tries again.
      if (now === asked) asked = "";
      throw error;
    }
  }
  panel.chosen.onChange(showChosen);
  showChosen();
  method.addEventListener("change", panel.refresh);
  count.addEventListener("input", draw);
  by.addEventListener("change", showList);
  return { node, refresh };
}
