// One site, three tensors; and how a channel is made from those before it.

import { floatsOf, largestOf, lesson, rankedRows, tile } from "./explain_parts.js";
import { oneAtATime } from "./explain_questions.js";
import { refill } from "./refill.js";
import { element, formatNumber, formatShare, setTrait } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

/** @param {Panel} panel */
export function channelSection(panel) {
  const { model } = panel;
  const note = element("p", { class: "rw-soft", role: "status" });
  const toggles = element("div", { class: "rw-why-controls", role: "group" });
  toggles.setAttribute("aria-label", "Tensors of this site");
  const norm = element("p");
  const cut = element("p");
  const title = element("b");
  const sum = element("p", { class: "rw-soft" });
  const made = element("div", {}, element("div", { class: "rw-why-where" }, title), sum);
  const list = element("div", { class: "rw-why-list rw-why-wide" });
  const node = element(
    "div",
    { class: "rw-why-columns" },
    element("div", {}, note, toggles, norm, cut),
    made,
    list,
    lesson(
      "What batch norm and ReLU did to this channel, and the input channels it was made of, each with its map (1×1) or its kernel, and what it adds.",
      "Point at a cell to see what made that cell. The list, the rest and the bias together are the value before batch norm, exactly.",
      [
        "y = b + Σₖ wₖ ∗ xₖ;   BN(y) = γ (y − μ) / √(σ² + ε) + β",
        "Ioffe and Szegedy 2015, Batch Normalization",
        "https://arxiv.org/abs/1502.03167",
      ],
    ),
  );

  /** Without a convolution there is nothing but what is said, and that has the room. */
  function clear() {
    for (const part of [norm, cut, made, list]) part.hidden = true;
  }

  /** The layers that could be shown instead, where this one is no convolution. */
  function showChoices(/** @type {string[]} */ paths) {
    note.textContent = "This layer is no convolution, nor right after one. Those of its block are:";
    clear();
    refill(
      toggles,
      paths.map((path) => {
        const button = element("button", { type: "button", text: path });
        button.addEventListener("click", () => setTrait(model, "layer", path));
        return button;
      }),
    );
  }

  function showSite(/** @type {any} */ data) {
    for (const part of [norm, cut, made, list]) part.hidden = false;
    const layers = [
      ["conv", data.conv],
      ["batch norm", data.bn],
      ["ReLU", data.relu],
    ].filter(([, path]) => path);
    refill(
      toggles,
      layers.map(([text, path]) => {
        const button = element("button", {
          type: "button",
          text,
          title: path,
          "aria-pressed": String(path === model.get("layer")),
        });
        button.addEventListener("click", () => setTrait(model, "layer", path));
        return button;
      }),
    );
    const { scale, shift, mean, variance, gain, offset, cut: share } = data.facts;
    const f = formatNumber;
    norm.textContent = data.bn
      ? `Batch norm: scale γ ${f(scale)}, shift β ${f(shift)}, mean μ ${f(mean)}, variance σ² ${f(variance)}. In all it multiplies by ${f(gain)} and adds ${f(offset)}.`
      : "No batch norm follows here.";
    cut.textContent =
      share === null
        ? "No ReLU layer follows here."
        : `ReLU cuts away ${formatShare(share)} of the cells of this channel.`;
  }

  function showInputs(/** @type {any} */ data, /** @type {DataView} */ buffer) {
    const [height, width, count] = data.shape;
    const pictures = floatsOf(buffer);
    const cells = height * width;
    const isMap = data.shown === "map";
    title.textContent = `${data.conv} · channel ${data.channel}`;
    const where = data.cell ? `at row ${data.cell[0]}, col ${data.cell[1]}` : "on average";
    const more =
      data.inputs > count
        ? `; the other ${data.inputs - count} add ${formatNumber(data.rest)}`
        : "";
    sum.textContent = `${formatNumber(data.value)} ${where}, from ${data.inputs} channels of ${data.source}, bias ${formatNumber(data.bias)}${more}.`;
    const most = largestOf(pictures);
    const rows = data.rows.map(
      (/** @type {number[]} */ [channel, share], /** @type {number} */ i) => {
        const values = pictures.subarray(i * cells, (i + 1) * cells);
        // Kernels are compared with each other; maps each have their own range.
        const picture = tile(values, height, width, isMap ? largestOf(values) : most);
        picture.toggleAttribute("data-kernel", !isMap);
        return {
          name: `ch ${channel}`,
          value: share,
          picture,
          title: isMap ? "Its map; the weight is one number" : `Its kernel, ${height} × ${width}`,
        };
      },
    );
    refill(
      list,
      rankedRows(rows, (index) => {
        setTrait(model, "layer", data.source);
        setTrait(model, "channel", data.rows[index][0]);
      }),
    );
  }

  async function look() {
    const [layer, channel, cursor] = ["layer", "channel", "cursor"].map((n) => model.get(n));
    try {
      const answer = await panel.ask("channel", { layer, channel, cursor });
      if (!answer) return;
      note.hidden = !answer.data.choices;
      if (answer.data.choices) return showChoices(answer.data.choices);
      showSite(answer.data);
      showInputs(answer.data, answer.buffers[0]);
    } catch (error) {
      note.hidden = false;
      note.textContent = /** @type {Error} */ (error).message;
      clear();
      refill(toggles, []);
    }
  }

  // The pointer crosses more cells than the kernel can answer for.
  return { node, follows: ["cursor"], refresh: oneAtATime(look) };
}
