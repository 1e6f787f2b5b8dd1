// What residual means: shortcut + branch = sum → ReLU, and what each brings, in all blocks.

import { aboutOf, colourKey, lesson, runButton, shortBlock } from "./explain_parts.js";
import { changeAndHandOn } from "./focus.js";
import { refill } from "./refill.js";
import { element, formatShare, formatShort, onChange, setTrait } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

const NAMES = ["shortcut", "branch", "sum", "after ReLU"];
const SIGNS = ["+", "=", "→", ""];

/** @param {Panel} panel */
export function residualSection(panel) {
  const { model, host, signal } = panel;
  const title = element("b");
  const run = runButton("Take the blocks apart", look, () => panel.cancel("residual"));
  run.node.hidden = true;
  const facts = element("p", { class: "rw-soft" });
  const maps = element("div", { class: "rw-why-maps" });
  const key = colourKey();
  const chart = element("div", { class: "rw-why-blocks", role: "group" });
  chart.setAttribute("aria-label", "Share of the branch in each block");
  const charted = element(
    "div",
    { class: "rw-why-stack" },
    element(
      "div",
      { class: "rw-title" },
      element("span", { text: "All blocks" }),
      element("span", { text: "share of the energy that the branch brings" }),
    ),
    chart,
  );
  const node = element(
    "div",
    { class: "rw-why-stack" },
    element("div", { class: "rw-why-where" }, title),
    run.node,
    maps,
    key.node,
    facts,
    charted,
    lesson(
      "One channel of a block: what came in by the shortcut, what the three convolutions add, their sum, and what ReLU leaves of it.",
      "All four maps share one range: blue is below zero, red above. A long bar is a block that makes something new, a short one a block that only corrects; where the cosine is negative it takes away.",
      [
        "y = ReLU(s + F(s)); energy = Σ of squares over cells; share of the branch = ‖F‖² / (‖F‖² + ‖s‖²)",
        "He et al. 2015, Deep Residual Learning",
        "https://arxiv.org/abs/1512.03385",
      ],
    ),
  );

  /** @type {any[]} models of the four maps */
  let shown = [];
  let channel = 0;
  let limit = 0;

  function give() {
    if (maps.hidden) return;
    for (const map of shown) {
      map.set("photo", model.get("photo"));
      map.set("channel", channel);
      map.set("cursor", model.get("cursor"));
      // One range around zero for all four, or a faint branch would look as strong as the rest.
      map.set("limits", limit > 0 ? [-limit, limit] : []);
      map.set("colormap", "coolwarm");
    }
  }

  /** @type {Promise<void> | null} */
  let building = null;
  /** The maps, once, however often it is asked for while they are on their way. */
  function build() {
    const references = model.get("maps");
    if (references.length === 4) building ??= make(references);
    return building;
  }

  async function make(/** @type {string[]} */ references) {
    shown = await Promise.all(references.map((/** @type {string} */ r) => host.getModel(r)));
    const widgets = await Promise.all(
      references.map((/** @type {string} */ r) => host.getWidget(r)),
    );
    maps.replaceChildren();
    for (const [i, widget] of widgets.entries()) {
      const box = element("div", { class: "rw-why-map" });
      maps.append(
        element(
          "div",
          {},
          box,
          element(
            "div",
            { class: "rw-why-caption" },
            element("span", { text: NAMES[i] }),
            element("b", { text: SIGNS[i], "aria-hidden": "true" }),
          ),
        ),
      );
      const map = shown[i];
      onChange(map, ["cursor"], () => setTrait(model, "cursor", map.get("cursor")), signal);
      await widget.render({ el: box, signal });
    }
  }

  function bars(/** @type {any} */ data) {
    const most = Math.max(...data.blocks.map((/** @type {any} */ b) => b.share), 1e-9);
    refill(
      chart,
      data.blocks.map((/** @type {any} */ block) => {
        const bar = element("span", { class: "rw-why-bar" });
        bar.style.height = `${(100 * block.share) / most}%`;
        const button = element(
          "button",
          {
            type: "button",
            "aria-pressed": String(block.block === data.block),
            title: `${block.block}: branch ${formatShare(block.share)}, cosine ${formatShort(block.agreement)}, ReLU cuts ${formatShare(block.cut)} of the cells`,
          },
          element("span", { class: "rw-why-bar-number", text: formatShare(block.share) }),
          element("span", { class: "rw-why-bar-box" }, bar),
          element("span", { text: shortBlock(block.block) }),
        );
        button.addEventListener("click", () => setTrait(model, "layer", block.out));
        return button;
      }),
    );
  }

  function show(/** @type {any} */ data) {
    ({ channel, limit } = data);
    title.textContent = `${data.block} · channel ${channel}`;
    const share = (/** @type {number[]} */ [s, b]) => (s + b > 0 ? b / (s + b) : 0);
    const cut = data.of_channel[2] > 0 ? data.of_channel[3] / data.of_channel[2] : 0;
    facts.textContent = [
      `The branch brings ${formatShare(share(data.of_channel))} of the energy in this channel, ${formatShare(share(data.of_block))} in the block.`,
      `ReLU cuts away ${formatShare(cut)} of the energy of the sum here.`,
      `Shortcut and branch: cosine ${formatShort(data.agreement)}.`,
    ].join(" ");
    for (const [i, map] of shown.entries()) map.set("layer", data.layers[i]);
    // Of a channel that is 0 everywhere, or nowhere a number, there is no range to show.
    if (limit > 0) key.show("coolwarm", -limit, limit);
    else key.hide();
    give();
    bars(data);
  }

  /** Before there are any, and blocks of another photo must not stand as if they were of this one. */
  function clear() {
    title.textContent = facts.textContent = "";
    maps.hidden = charted.hidden = true;
    key.hide();
  }

  /** What the newest question is about. */
  let about = "";
  async function look() {
    const now = aboutOf(model);
    if (now !== about) clear();
    about = now;
    run.set(true, "Taking blocks apart …");
    // Of a new photo all blocks run, and each is traced when it is first asked for.
    const late = setTimeout(() => {
      run.node.hidden = false;
    }, 400);
    const options = { layer: model.get("layer"), channel: model.get("channel") };
    try {
      const answer = await panel.ask("residual", options, run.progress);
      if (!answer) return;
      run.set(false);
      maps.hidden = charted.hidden = false;
      show(answer.data);
      changeAndHandOn(run.node, { hidden: true }, chart);
    } catch (error) {
      clear();
      run.set(false, /** @type {Error} */ (error).message);
      run.node.hidden = false;
    } finally {
      clearTimeout(late);
    }
  }

  onChange(model, ["cursor"], give, signal);
  clear();
  return {
    node,
    async refresh() {
      await build();
      await look();
    },
  };
}
