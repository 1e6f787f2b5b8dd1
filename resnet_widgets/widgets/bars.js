// Bar charts of many numbers in little room, as one SVG path that takes its colour from CSS.

import { change } from "./shared.js";

/**
 * One number for each of at most `columns` bars: of those that share a bar, the one furthest from 0.
 * @param {ArrayLike<number>} values
 * @param {number} columns
 * @returns {number[]}
 */
export function columnValues(values, columns) {
  const bars = Math.max(1, Math.min(values.length, Math.floor(columns)));
  const result = Array(bars).fill(0);
  for (let i = 0; i < values.length; i++) {
    const bar = Math.floor((i * bars) / values.length);
    if (Math.abs(values[i]) > Math.abs(result[bar])) result[bar] = values[i];
  }
  return result;
}

/**
 * The bars as path data in a box 100 high and one wide a bar. Bars grow from the zero line, which is
 * the bottom edge where no number is negative.
 * @param {number[]} values finite
 * @param {number} thickness of a bar, up to 1
 */
export function barPath(values, thickness) {
  const top = Math.max(0, ...values);
  const bottom = Math.min(0, ...values);
  const unit = 100 / (top - bottom || 1);
  const zero = top * unit;
  return values
    .map(
      (value, i) =>
        `M${i} ${zero.toFixed(2)}v${(-value * unit).toFixed(2)}h${thickness}V${zero.toFixed(2)}z`,
    )
    .join("");
}

/**
 * A chart that fills its box; what it says has to be said in words beside it. Numbers that are not
 * finite have no bar.
 */
export function barChart() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.append(path);
  svg.setAttribute("class", "rw-bars");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  return {
    node: svg,
    /**
     * @param {ArrayLike<number>} values
     * @param {number} [width] of the chart in pixels; left out where there are few bars
     */
    draw(values, width = Infinity) {
      const finite = Array.from(values, (value) => (Number.isFinite(value) ? value : 0));
      const bars = columnValues(finite, width);
      // In bars this narrow, gaps would only make stripes.
      const thickness = width / bars.length < 3 ? 1 : 0.85;
      change(svg, { viewBox: `0 0 ${bars.length} 100` });
      change(path, { d: barPath(bars, thickness) });
    },
  };
}
