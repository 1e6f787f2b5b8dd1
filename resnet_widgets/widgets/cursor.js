// The cursor that views share: a part of the picture, whatever the number of cells.

import { change, formatNumber } from "./shared.js";

/** @type {Record<string, [columns: number, rows: number]>} where the arrow keys take a cursor */
export const STEPS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/**
 * The smallest block of whole cells that covers a cursor: `[x0, y0, x1, y1]` in cells.
 * @param {number[]} cursor in 0…1 of the picture
 * @param {number} width
 * @param {number} height
 */
export function cursorCells([x0, y0, x1, y1], width, height) {
  // A cell edge such as 3/7 does not survive a product exactly.
  const slack = 1e-6;
  return [
    Math.floor(x0 * width + slack),
    Math.floor(y0 * height + slack),
    Math.ceil(x1 * width - slack),
    Math.ceil(y1 * height - slack),
  ];
}

/**
 * The number under the cursor: that of one cell, or the mean of a block of them.
 * @param {import("./frame.js").Frame} frame
 * @param {number} channel
 * @param {number[]} block `[left, top, right, bottom]` in cells
 */
export function blockValue(frame, channel, [left, top, right, bottom]) {
  let sum = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) sum += frame.value(channel, row, column);
  }
  return sum / ((right - left) * (bottom - top));
}

/**
 * Where a block is, in words: `row 10 col 15`, `row 2–3 col 0–7`.
 * @param {number[]} block `[left, top, right, bottom]` in cells
 */
export function placeOf([left, top, right, bottom]) {
  const span = (/** @type {number} */ from, /** @type {number} */ to) =>
    to - from === 1 ? `${from}` : `${from}–${to - 1}`;
  return `row ${span(top, bottom)} col ${span(left, right)}`;
}

/**
 * The shortest decimal that is this float32 and no other.
 * @param {number} value
 */
export function formatExact(value) {
  if (!Number.isFinite(value)) return formatNumber(value);
  let digits = 1;
  while (Math.fround(Number(value.toPrecision(digits))) !== value && digits < 17) digits++;
  return String(Number(value.toPrecision(digits))).replaceAll("-", "−");
}

/**
 * The number of a block in words: `= 0.84130859` where it is exact, else `≈ 0.8413`.
 * @param {import("./frame.js").Frame} frame
 * @param {number} channel
 * @param {number[]} block `[left, top, right, bottom]` in cells
 * @param {Float32Array | null} [exact] the exact number of each channel
 */
export function readingValue(frame, channel, block, exact = null) {
  const [left, top, right, bottom] = block;
  const mean = (right - left) * (bottom - top) > 1 ? "mean " : "";
  if (exact) return `${mean}= ${formatExact(exact[channel])}`;
  return `${mean}≈ ${formatNumber(blockValue(frame, channel, block))}`;
}

/**
 * What stands under the cursor, in words: `row 10 col 15 ≈ 0.8413`.
 * @param {import("./frame.js").Frame} frame
 * @param {number} channel
 * @param {number[]} block `[left, top, right, bottom]` in cells
 * @param {Float32Array | null} [exact] the exact number of each channel
 */
export function readingOf(frame, channel, block, exact = null) {
  return `${placeOf(block)} ${readingValue(frame, channel, block, exact)}`;
}

/**
 * Lays an element over a part of what it is positioned in, and hides it where there is none.
 * @param {HTMLElement} node
 * @param {number[]} edges left, top, right, bottom in 0…1, or []
 */
export function placeBox(node, edges) {
  change(node, { hidden: edges.length !== 4 });
  if (edges.length !== 4) return;
  const [left, top, right, bottom] = edges;
  node.style.left = `${100 * left}%`;
  node.style.top = `${100 * top}%`;
  node.style.width = `${100 * (right - left)}%`;
  node.style.height = `${100 * (bottom - top)}%`;
}
