// Attribution to pixels: which parts of the photo the answer depends on.

import { aboutOf, floatsOf, formatSeconds, lesson, overlay, runButton } from "./explain_parts.js";
import { element, formatShort } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

/** @type {Record<string, { text: string, signed: boolean, says: string }>} */
const PIXEL_METHODS = {
  saliency: {
    text: "Saliency",
    signed: false,
    says: "How much the logit would change with each pixel: |∂y/∂x|, the largest of its colours.",
  },
  smoothgrad: {
    text: "SmoothGrad",
    signed: false,
    says: "The mean gradient of 32 noisy copies of the photo.",
  },
  "integrated gradients": {
    text: "Integrated gradients",
    signed: true,
    says: "What each pixel adds on the way from the mean colour to the photo; red speaks for the class, blue against it.",
  },
  occlusion: {
    text: "Occlusion",
    signed: true,
    says: "How much the logit falls when a square there is covered; red was needed, blue was in the way.",
  },
};

/** @param {Panel} panel */
export function pixelsSection(panel) {
  const { model } = panel;
  const method = element(
    "select",
    { class: "rw-select", "aria-label": "Method" },
    ...Object.entries(PIXEL_METHODS).map(([value, { text }]) => element("option", { value, text })),
  );
  const says = element("p");
  const facts = element("div", { class: "rw-why-facts" });
  const run = runButton("Compute", computeNow, () => panel.cancel("pixels"));
  const picture = overlay("Attribution over the photo");
  const node = element(
    "div",
    { class: "rw-why-columns" },
    element(
      "div",
      { class: "rw-why-tall" },
      element("div", { class: "rw-why-controls" }, method, run.node),
      picture.node,
    ),
    element("div", {}, says, facts),
    lesson(
      "The photo with the pixels marked that the logit of the class depends on.",
      "Believe what several methods agree on. A gradient says what would change the answer, not what the answer is made of; only integrated gradients add up to it.",
      [
        "Saliency: |∂y/∂xᵢ|, the largest of a pixel's colours",
        "Simonyan et al. 2013, Deep Inside Convolutional Networks",
        "https://arxiv.org/abs/1312.6034",
      ],
      [
        "SmoothGrad: |mean of ∂y/∂xᵢ at x + ε|, ε normal, 15 % of the range of x",
        "Smilkov et al. 2017, SmoothGrad",
        "https://arxiv.org/abs/1706.03825",
      ],
      [
        "Integrated gradients: IGᵢ = (xᵢ − x′ᵢ) ∫₀¹ ∂y(x′ + t(x − x′))/∂xᵢ dt,   Σᵢ IGᵢ = y(x) − y(x′)",
        "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks",
        "https://arxiv.org/abs/1703.01365",
      ],
      [
        "Occlusion: y(x) − y(x with a square set to 0), the mean over the squares that cover a pixel",
        "Zeiler and Fergus 2013, Visualizing and Understanding Convolutional Networks",
        "https://arxiv.org/abs/1311.2901",
      ],
    ),
  );

  let asked = "";

  async function computeNow() {
    const mine = asked;
    run.set(true);
    const { signed } = PIXEL_METHODS[method.value];
    try {
      const options = { method: method.value, target: model.get("target") };
      const answer = await panel.ask("pixels", options, run.progress);
      if (!answer || mine !== asked) return;
      const { shape, gap, steps, label } = answer.data;
      const values = floatsOf(answer.buffers[0]);
      picture.show({ values, height: shape[0], width: shape[1], signed, limit: strong(values) });
      run.set(false);
      const known = [
        ["Class", label],
        ["Runs of the network", String(steps)],
        ["Completeness gap", gap === null ? "" : `${formatShort(100 * gap)} %`],
      ];
      facts.replaceChildren(
        ...known
          .filter(([, text]) => text)
          .flatMap(([name, text]) => [
            element("span", { class: "rw-soft", text: name }),
            element("span", { text }),
          ]),
      );
    } catch (error) {
      if (mine === asked) run.set(false, /** @type {Error} */ (error).message);
    }
  }

  async function estimate() {
    panel.cancel("pixels");
    says.textContent = PIXEL_METHODS[method.value].says;
    facts.replaceChildren();
    run.set(false);
    picture.show(null);
    picture.setPhoto(await panel.picture());
    const answer = await panel.ask("estimate", { method: method.value });
    if (answer) run.say(`takes about ${formatSeconds(answer.data.seconds)}`);
  }
  async function refresh() {
    const now = method.value + aboutOf(model, "target");
    if (now === asked) {
      // Another section may have fetched it anew, and closed the one that is shown.
      const photo = await panel.picture();
      if (now === asked) picture.setPhoto(photo);
      return;
    }
    asked = now;
    try {
      await estimate();
    } catch (error) {
      // So that the next look tries again.
      if (now === asked) asked = "";
      throw error;
    }
  }
  method.addEventListener("change", panel.refresh);
  return { node, refresh };
}

/** A value that few pixels are beyond: a single one must not make all others pale. */
function strong(/** @type {Float32Array} */ values) {
  const sizes = Float32Array.from(values, Math.abs).sort();
  return sizes[Math.floor(0.995 * (sizes.length - 1))] || sizes[sizes.length - 1];
}
