// Reading early: which labelled photos each block takes the photo to be nearest to.

import { aboutOf, lesson, runButton, shortBlock } from "./explain_parts.js";
import { changeAndHandOn } from "./focus.js";
import { refill } from "./refill.js";
import { element, formatShort, setTrait, svgElement } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

/** Height of the chart; its width is that of the row of blocks below it. */
const CHART = { width: 1000, height: 200 };

/**
 * Points of a line through the middles of equal columns, in a box of 1000 × 200.
 * @param {number[]} values
 * @param {number} low value at the lower edge
 * @param {number} high value at the upper edge
 */
export function linePoints(values, low, high) {
  return values
    .map((value, i) => {
      const x = ((i + 0.5) / values.length) * CHART.width;
      const y = (1 - (value - low) / (high - low)) * CHART.height;
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}

/** @param {Panel} panel */
export function readingSection(panel) {
  const { model } = panel;
  const photos = element("b");
  const run = runButton("Read again", readNow, () => panel.cancel("reading"));
  const answer = element("p");
  const legend = element("ul", { class: "rw-why-legend" });
  const plot = svgElement("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img" });
  plot.setAttribute("preserveAspectRatio", "none");
  const scale = element("div", { class: "rw-why-scale", "aria-hidden": "true" });
  const blocks = element("div", { class: "rw-why-blocks", role: "group" });
  blocks.setAttribute("aria-label", "Nearest label in each block");
  const chart = element("div", { class: "rw-why-reading" }, scale, plot, blocks);
  const axes = element(
    "div",
    { class: "rw-title" },
    element("span", { text: "All blocks" }),
    element("span", { text: "likeness to the photos of a label, a cosine" }),
  );
  const empty = element(
    "div",
    { class: "rw-why-empty" },
    element("p", {}, element("b", { text: "Which photos does each block find alike?" })),
    element("p", { text: "Give a few labelled photos, five or more of each label, in a cell:" }),
    element("code", {
      text: 'explorer.early_reading({"cat": ["cat1.jpg", "cat2.jpg"], "dog": ["dog1.jpg", "dog2.jpg"]})',
    }),
  );
  const shown = element("div", { class: "rw-why-stack" }, answer, legend, axes, chart);
  const node = element(
    "div",
    { class: "rw-why-stack" },
    element("div", { class: "rw-why-where" }, photos),
    empty,
    run.node,
    shown,
    lesson(
      "How much the photo on show is like the labelled photos, block after block: the highest line is the label that is nearest there.",
      "Where the lines part for good the answer has formed. If they part early, colour or texture is enough to tell; a few photos are a rough ruler, so believe wide gaps only.",
      [
        "sₗ = cos(f − m̄, mₗ − m̄), f = mean of each channel over the map, mₗ = mean of f over the photos of label l, m̄ = mean of all mₗ",
        "Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes",
        "https://arxiv.org/abs/1610.01644",
      ],
    ),
  );

  function show(/** @type {any} */ data) {
    const last = data.blocks.length - 1;
    const label = data.blocks[last].nearest;
    answer.replaceChildren(
      element("b", { text: label }),
      data.forms === last
        ? " is nearest only in the last block."
        : data.forms === 0
          ? " is nearest from the first block to the last."
          : ` is nearest from ${data.blocks[data.forms].block} on, to the end.`,
    );
    const all = data.blocks.flatMap((/** @type {any} */ block) => block.similarities);
    const finite = all.filter(Number.isFinite);
    const [low, high] = [Math.min(-0.1, ...finite), Math.max(0.1, ...finite)];
    legend.replaceChildren(
      ...data.labels.map((/** @type {string} */ text, /** @type {number} */ i) => {
        const end = formatShort(data.blocks[last].similarities[i]);
        const mark = element("span", { class: "rw-why-mark", "data-line": i });
        return element(
          "li",
          {},
          mark,
          text,
          element("span", { class: "rw-soft", text: ` ${end}` }),
        );
      }),
    );
    scale.replaceChildren(
      ...[high, 0, low].map((value) => {
        const tick = element("span", { text: formatShort(value) });
        tick.style.top = `${(100 * (high - value)) / (high - low)}%`;
        return tick;
      }),
    );
    const zero = linePoints([0, 0], low, high).split(" ")[0].split(",")[1];
    const lines = data.labels.map((/** @type {string} */ _, /** @type {number} */ i) =>
      svgElement("polyline", {
        points: linePoints(
          data.blocks.map((/** @type {any} */ block) => block.similarities[i]),
          low,
          high,
        ),
        "data-line": i,
      }),
    );
    const here = svgElement("rect", {
      x: (data.forms / (last + 1)) * CHART.width,
      y: 0,
      width: ((last + 1 - data.forms) / (last + 1)) * CHART.width,
      height: CHART.height,
    });
    plot.replaceChildren(
      here,
      svgElement("line", { x1: 0, x2: CHART.width, y1: zero, y2: zero }),
      ...lines.reverse(),
    );
    plot.setAttribute("aria-label", `Likeness to ${data.labels.join(", ")}, block after block`);
    refill(
      blocks,
      data.blocks.map((/** @type {any} */ block) => {
        const numbers = data.labels
          .map((/** @type {string} */ text, /** @type {number} */ i) =>
            [text, formatShort(block.similarities[i])].join(" "),
          )
          .join(", ");
        const line = data.labels.indexOf(block.nearest);
        const button = element(
          "button",
          {
            type: "button",
            title: `${block.block}: ${numbers}`,
            "aria-label": `${shortBlock(block.block)}, ${block.block}, nearest ${block.nearest}`,
            "aria-pressed": String(block.layer === model.get("layer")),
          },
          element("span", { class: "rw-why-mark", "data-line": line }),
          element("span", {
            class: "rw-why-block-name",
            text: shortBlock(block.block),
          }),
        );
        button.addEventListener("click", () => setTrait(model, "layer", block.layer));
        return button;
      }),
    );
  }

  let asked = "";
  /** @type {any} */
  let found = null;
  async function readNow() {
    const mine = key();
    asked = mine;
    run.node.hidden = false;
    run.set(true);
    try {
      const reply = await panel.ask("reading", {}, run.progress);
      if (!reply || mine !== asked) return;
      run.set(false);
      found = reply.data.blocks.length ? reply.data : null;
      shown.hidden = !found;
      if (found) show(found);
      changeAndHandOn(run.node, { hidden: true }, blocks);
    } catch (error) {
      if (mine === asked) run.set(false, /** @type {Error} */ (error).message);
    }
  }

  const key = () => aboutOf(model, "labelled");
  return {
    node,
    async refresh() {
      const labelled = model.get("labelled");
      photos.textContent = labelled;
      empty.hidden = !!labelled;
      if (!labelled) {
        [asked, found] = ["", null];
        run.node.hidden = shown.hidden = true;
        return;
      }
      const isNew = key() !== asked;
      // The chart of another photo must not stand as if it were of this one.
      if (isNew) found = null;
      shown.hidden = !found;
      if (found) show(found);
      if (isNew) await readNow();
    },
  };
}
