// Which numbers the two ends of the colormap stand for, and what is told by the bytes of a frame on
// the way there: as pure functions.

/** The codes above this one are -inf, +inf and NaN. */
export const TOP_CODE = 252;

/**
 * @typedef {import("./frame.js").Frame} RangedFrame
 * @typedef {{ blend: number, symmetric: boolean, clip: number, limits: number[] }} RangeChoice
 * @typedef {{ low: ArrayLike<number>, high: ArrayLike<number>, readonly all: [number, number] }} Ends
 */

/** The traits that say which range holds. */
export const RANGE_TRAITS = ["blend", "symmetric", "clip", "limits"];

/** @returns {RangeChoice} */
export function rangeChoice(/** @type {any} */ model) {
  const [blend, symmetric, clip, limits] = RANGE_TRAITS.map((name) => model.get(name));
  return { blend, symmetric, clip, limits };
}

/** Whether one range holds for all channels. */
export function sharesRange(/** @type {RangeChoice} */ choice) {
  return choice.blend === 1 || choice.limits.length === 2;
}

/**
 * How many cells have each code.
 * @param {Uint8Array} plane
 * @param {Uint32Array} [into] 256 numbers to reuse
 */
export function codeCounts(plane, into = new Uint32Array(256)) {
  into.fill(0);
  for (let i = 0; i < plane.length; i++) into[plane[i]]++;
  return into;
}

/**
 * The codes of the cells at the two ends after `clip` percent were cut off at each: never more cells
 * than that lie outside. `[-1, -1]` where no cell is finite.
 * @param {Uint32Array} counts from `codeCounts`
 * @param {number} clip in percent
 * @returns {[low: number, high: number]}
 */
export function clippedCodes(counts, clip) {
  let finite = 0;
  for (let code = 0; code <= TOP_CODE; code++) finite += counts[code];
  if (!finite) return [-1, -1];
  const cut = Math.floor((clip / 100) * (finite - 1));
  let low = 0;
  for (let seen = counts[0]; seen <= cut; seen += counts[low]) low++;
  let high = TOP_CODE;
  for (let seen = counts[TOP_CODE]; seen <= cut; seen += counts[high]) high--;
  return [low, high];
}

/**
 * The ends of the range of each channel, and of all of them together, without the outermost `clip`
 * percent of the cells. Where that would leave nothing, as in a channel of which a few cells only
 * are not zero, nothing is cut.
 * @param {RangedFrame} frame
 * @param {number} clip in percent
 * @returns {Ends}
 */
export function rangeEnds(frame, clip) {
  return frame.recall("ends", clip, () => (clip > 0 ? clippedEnds(frame, clip) : fullEnds(frame)));
}

/** @returns {Ends} */
function fullEnds(/** @type {RangedFrame} */ { low, high }) {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const value of low) if (value < lowest) lowest = value;
  for (const value of high) if (value > highest) highest = value;
  return { low, high, all: lowest <= highest ? [lowest, highest] : [NaN, NaN] };
}

/** @returns {Ends} */
function clippedEnds(/** @type {RangedFrame} */ frame, /** @type {number} */ clip) {
  const low = Float64Array.from(frame.low);
  const high = Float64Array.from(frame.high);
  const counts = new Uint32Array(256);
  for (let channel = 0; channel < frame.channels; channel++) {
    const [first, last] = clippedCodes(codeCounts(frame.plane(channel), counts), clip);
    if (first >= last) continue;
    const span = frame.high[channel] - frame.low[channel];
    if (first > 0) low[channel] = frame.low[channel] + (first / TOP_CODE) * span;
    if (last < TOP_CODE) high[channel] = frame.low[channel] + (last / TOP_CODE) * span;
  }
  /** @type {[number, number] | null} */
  let all = null;
  return {
    low,
    high,
    // Later, because to sort the values of a whole layer takes a while, and not all ask for it.
    get all() {
      all ??= clippedLayer(frame, clip);
      return all;
    },
  };
}

/** @returns {[number, number]} */
function clippedLayer(/** @type {RangedFrame} */ frame, /** @type {number} */ clip) {
  const values = valueCounts(frame).sort((a, b) => a[0] - b[0]);
  const total = values.reduce((sum, [, count]) => sum + count, 0);
  const cut = Math.floor((clip / 100) * (total - 1));
  const reach = (/** @type {[number, number][]} */ sorted) => {
    let seen = 0;
    for (const [value, count] of sorted) {
      seen += count;
      if (seen > cut) return value;
    }
    return NaN;
  };
  const [low, high] = [reach(values), reach(values.reverse())];
  return low < high ? [low, high] : fullEnds(frame).all;
}

/**
 * The values of all channels, each with the number of its cells.
 * @returns {[value: number, count: number][]}
 */
function valueCounts(/** @type {RangedFrame} */ frame) {
  /** @type {Map<number, number>} */
  const found = new Map();
  const counts = new Uint32Array(256);
  for (let channel = 0; channel < frame.channels; channel++) {
    const [low, high] = [frame.low[channel], frame.high[channel]];
    codeCounts(frame.plane(channel), counts);
    for (let code = 0; code <= TOP_CODE; code++) {
      if (!counts[code]) continue;
      const value = code === TOP_CODE ? high : low + (code / TOP_CODE) * (high - low);
      found.set(value, (found.get(value) ?? 0) + counts[code]);
    }
  }
  return [...found];
}

/**
 * The numbers at the two ends of the colormap.
 * @param {Ends} ends from `rangeEnds`
 * @param {number} channel
 * @param {RangeChoice} choice
 * @returns {[low: number, high: number]}
 */
export function colorRange(ends, channel, { blend, symmetric, limits }) {
  if (limits.length === 2) return [limits[0], limits[1]];
  const own = [ends.low[channel], ends.high[channel]];
  const mix = (/** @type {0 | 1} */ end) =>
    blend === 1 ? ends.all[end] : own[end] + blend * (ends.all[end] - own[end]);
  const [low, high] = blend === 0 ? own : [mix(0), mix(1)];
  if (!symmetric) return [low, high];
  // Zero has to be in the middle of something, also where there is nothing else.
  const reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return [-reach, reach];
}
