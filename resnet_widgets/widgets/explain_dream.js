// Feature visualisation: a picture that grows until a channel, or a class, likes it most.

import { formatSeconds, lesson, runButton } from "./explain_parts.js";
import { element, formatNumber } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

const MOST_KEPT = 6;

/** RGB bytes as ImageData. */
export function rgbImage(/** @type {DataView} */ view, /** @type {number} */ width) {
  const height = view.byteLength / 3 / width;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = view.getUint8(3 * i + c);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** @param {Panel} panel */
export function dreamSection(panel) {
  const { model } = panel;
  const canvas = element("canvas", {
    class: "rw-why-overlay",
    role: "img",
    hidden: true,
  });
  canvas.setAttribute("aria-label", "The picture so far");
  const steps = element(
    "select",
    { class: "rw-select", "aria-label": "Steps" },
    ...["32", "128", "512"].map((value) => element("option", { value, text: `${value} steps` })),
  );
  steps.value = "128";
  const seed = element("input", { type: "number", min: 0, max: 999, value: 0 });
  seed.setAttribute("aria-label", "Seed");
  const run = runButton("Make a picture", start, () => panel.cancel("dream"));
  const where = element("b");
  const facts = element("p", {
    class: "rw-soft",
    text: "Pictures are kept here, each with its settings, the last six of them.",
  });
  const kept = element("div", { class: "rw-why-kept" });
  const node = element(
    "div",
    { class: "rw-why-columns" },
    element(
      "div",
      { class: "rw-why-tall" },
      element("div", { class: "rw-why-where" }, where),
      element(
        "div",
        { class: "rw-why-controls" },
        steps,
        element("label", {}, "seed", seed),
        run.node,
      ),
      canvas,
    ),
    element("div", {}, facts, kept),
    lesson(
      "A picture, begun as noise, that is changed until the channel you have chosen answers to it as strongly as can be; for the layer of predictions, until its class does.",
      "It shows what pleases a channel, not what it means: another seed may please it just as much. Patterns that repeat tell more than single things.",
      [
        "x* = argmaxₓ 𝔼ₜ[mean Aₖ(t(x))], x from a spectrum, t small moves, turns and changes of size",
        "Olah, Mordvintsev and Schubert 2017, Feature Visualization",
        "https://distill.pub/2017/feature-visualization",
      ],
    ),
  );

  function paint(/** @type {DataView} */ view, target = canvas) {
    const side = Math.round(Math.sqrt(view.byteLength / 3));
    const image = rgbImage(view, model.get("size")[1] ?? side);
    target.hidden = false;
    target.width = image.width;
    target.height = image.height;
    target.getContext("2d")?.putImageData(image, 0, 0);
  }

  const name = () => `${model.get("layer")} · channel ${model.get("channel")}`;

  async function start() {
    run.set(true);
    const options = {
      layer: model.get("layer"),
      channel: model.get("channel"),
      steps: Number(steps.value),
      seed: Math.max(0, Math.round(Number(seed.value) || 0)),
    };
    const of = name();
    try {
      const answer = await panel.ask("dream", options, (progress) => {
        run.progress(progress);
        if (progress.buffers.length) paint(progress.buffers[0]);
      });
      if (!answer) return;
      const { scores } = answer.data;
      run.set(false);
      paint(answer.buffers[0]);
      facts.textContent = `${of}: ${formatNumber(scores[0])} became ${formatNumber(scores.at(-1))} in ${options.steps} steps.`;
      keep(answer.buffers[0], `${of}, seed ${options.seed}, ${options.steps} steps`);
    } catch (error) {
      run.set(false, /** @type {Error} */ (error).message);
    }
  }

  /** The last few pictures stay, each with its settings. */
  function keep(/** @type {DataView} */ view, /** @type {string} */ text) {
    const small = element("canvas", { role: "img", "aria-label": text });
    paint(view, small);
    kept.prepend(element("figure", {}, small, element("figcaption", { text })));
    while (kept.children.length > MOST_KEPT) kept.lastElementChild?.remove();
  }

  let estimated = "";
  steps.addEventListener("change", panel.refresh);
  return {
    node,
    async refresh() {
      where.textContent = name();
      const count = steps.value;
      if (count === estimated) return;
      const answer = await panel.ask("estimate", { method: "visualise", steps: Number(count) });
      if (!answer) return;
      estimated = count;
      run.say(`takes about ${formatSeconds(answer.data.seconds)}`);
    },
  };
}
