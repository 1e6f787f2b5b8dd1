// Two numbers, and between them the colours that stand for what lies between.

import { colormapGradient } from "./colors.js";
import { change, element, formatShort } from "./shared.js";

/** @param {...Node} more after the second number */
export function rangeLegend(...more) {
  const low = element("span");
  const gradient = element("span", { class: "rw-gradient" });
  const high = element("span");
  return {
    node: element("div", { class: "rw-legend" }, low, gradient, high, ...more),
    /**
     * @param {string} colormap
     * @param {number[]} range
     * @param {string[] | null} [words] in place of numbers, where none hold for all that is shown
     */
    show(colormap, range, words = null) {
      const constant = !words && range[0] === range[1];
      const numbers = range.map(formatShort);
      const texts = words ?? (constant ? [`constant ${numbers[0]}`, ""] : numbers);
      change(low, { text: texts[0] });
      change(high, { text: texts[1] });
      change(gradient, { hidden: constant });
      gradient.style.backgroundImage = colormapGradient(colormap);
    },
  };
}
