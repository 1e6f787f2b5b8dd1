// How the values of a channel, of a layer, or of a vector are spread: as pure functions.

import { codeCounts, rangeEnds, TOP_CODE } from "./ranges.js";

/** Bins of the histogram of a layer, from which those that are shown are made. */
const FINE = 2048;

/**
 * Cells that are not exactly zero, counted in equal bins over a range; those outside it and those
 * without a number are left out. A byte stands for a span of values and is shared among the bins it
 * touches, or combs would show that are not in the data. In a saved page it stands for as many
 * bytes as there are between it and the next; only the first and the last are never moved.
 * @param {Uint8Array} plane
 * @param {number} low of the channel
 * @param {number} high of the channel
 * @param {number} zeros share of the finite cells that are 0
 * @param {[number, number]} range
 * @param {number} bins
 * @param {{ step?: number, result?: Float64Array }} [options] `step` from byte to byte, as in
 *   `Frame`; `result`, to add to
 */
export function histogram(
  plane,
  low,
  high,
  zeros,
  range,
  bins,
  { step = 1, result = new Float64Array(bins) } = {},
) {
  const counts = codeCounts(plane);
  const [span, width] = [high - low, range[1] - range[0]];
  if (!(width > 0 && span > 0)) return result;
  const finite = plane.length - counts[253] - counts[254] - counts[255];
  const isEnd = (/** @type {number} */ code) => code === 0 || code === TOP_CODE;
  let zeroCode = Math.round((-low / span) * TOP_CODE);
  if (zeroCode >= 0 && zeroCode <= TOP_CODE) {
    if (!isEnd(zeroCode)) zeroCode = Math.floor(zeroCode / step) * step + (step - 1) / 2;
    counts[zeroCode] = Math.max(0, counts[zeroCode] - Math.round(zeros * finite));
  }
  for (let code = 0; code <= TOP_CODE; code++) {
    if (!counts[code]) continue;
    const [from, to] = isEnd(code)
      ? [Math.max(0, code - 0.5), Math.min(TOP_CODE, code + 0.5)]
      : [Math.max(0.5, code - step / 2), Math.min(TOP_CODE - 0.5, code + step / 2)];
    const start = low + (from / TOP_CODE) * span;
    const end = low + (to / TOP_CODE) * span;
    spread(
      result,
      ((start - range[0]) / width) * bins,
      ((end - range[0]) / width) * bins,
      counts[code],
    );
  }
  return result;
}

/** Adds `count` cells to the bins between `start` and `end`, evenly. */
function spread(
  /** @type {Float64Array} */ bins,
  /** @type {number} */ start,
  /** @type {number} */ end,
  /** @type {number} */ count,
) {
  for (let bin = Math.max(0, Math.floor(start)); bin < Math.min(bins.length, end); bin++) {
    const part = Math.min(bin + 1, end) - Math.max(bin, start);
    bins[bin] += (count * part) / (end - start);
  }
}

/**
 * The histogram of all channels over a range. Made once a frame in fine bins; what is returned for a
 * range is put together from those.
 * @param {import("./frame.js").Frame} frame
 * @param {[number, number]} range
 * @param {number} bins
 */
export function layerHistogram(frame, range, bins) {
  const { all } = rangeEnds(frame, 0);
  const fine = frame.recall("histogram", null, () => {
    const sum = new Float64Array(FINE);
    for (let channel = 0; channel < frame.channels; channel++) {
      const [low, high] = [frame.low[channel], frame.high[channel]];
      histogram(frame.plane(channel), low, high, frame.zeros[channel], all, FINE, {
        step: frame.step,
        result: sum,
      });
    }
    return sum;
  });
  const result = new Float64Array(bins);
  const binOf = (/** @type {number} */ edge) => {
    const value = all[0] + (edge / FINE) * (all[1] - all[0]);
    return ((value - range[0]) / (range[1] - range[0])) * bins;
  };
  for (let i = 0; i < FINE; i++) if (fine[i]) spread(result, binOf(i), binOf(i + 1), fine[i]);
  return result;
}

/** Numbers that are not zero, counted in equal bins from the smallest to the largest. */
export function vectorHistogram(/** @type {Float32Array} */ values, /** @type {number} */ bins) {
  const counted = values.filter((value) => Number.isFinite(value) && value !== 0);
  const result = Array(bins).fill(0);
  let [low, high] = [Infinity, -Infinity];
  for (const value of counted) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  for (const value of counted) {
    const at = high > low ? (value - low) / (high - low) : 0;
    result[Math.min(bins - 1, Math.floor(at * bins))]++;
  }
  return result;
}
