// In which order channels stand, and which of them are nothing to look at.

import { changeAndHandOn } from "./focus.js";
import { codeCounts, TOP_CODE } from "./ranges.js";
import { change, element, formatShare, formatShort, onChange, setTrait } from "./shared.js";

/** @typedef {import("./frame.js").Frame} OrderedFrame */

/** @type {Record<string, string>} what the orders are called */
export const ORDER_NAMES = {
  index: "by index",
  strength: "by strength",
  maximum: "by maximum",
  variance: "by variance",
  zeros: "by share of zeros",
  similarity: "by similarity",
};

/**
 * @typedef {"muted" | "dead" | "constant" | "saturated" | "odd"} Kind
 * @type {Record<Kind, { sign: string, few: string, meaning: string }>}
 */
export const KINDS = {
  muted: { sign: "m", few: "muted", meaning: "muted: set to zero by an edit" },
  dead: { sign: "0", few: "dead", meaning: "dead: all zero for this photo" },
  constant: { sign: "=", few: "constant", meaning: "constant" },
  saturated: {
    sign: "^",
    few: "saturated",
    meaning: "saturated: at its maximum in half of its cells or more",
  },
  odd: { sign: "×", few: "not finite", meaning: "has cells that are not finite" },
};

/**
 * What is the matter with each channel, or "".
 * @param {OrderedFrame} frame
 * @returns {(Kind | "")[]}
 */
export function channelKinds(frame) {
  return frame.recall("kinds", null, () => {
    const counts = new Uint32Array(256);
    const muted = new Set(frame.muted);
    return Array.from({ length: frame.channels }, (_, channel) => {
      const plane = frame.plane(channel);
      codeCounts(plane, counts);
      const odd = counts[TOP_CODE + 1] + counts[TOP_CODE + 2] + counts[TOP_CODE + 3];
      if (odd) return "odd";
      const [low, high] = [frame.low[channel], frame.high[channel]];
      if (low === 0 && high === 0) return muted.has(channel) ? "muted" : "dead";
      if (low === high) return "constant";
      return counts[TOP_CODE] * 2 >= plane.length ? "saturated" : "";
    });
  });
}

/**
 * Variance of each channel over its finite cells, from their bytes: each is within 1/504 of the
 * channel's range.
 * @param {OrderedFrame} frame
 */
export function variances(frame) {
  const counts = new Uint32Array(256);
  return Float64Array.from({ length: frame.channels }, (_, channel) => {
    codeCounts(frame.plane(channel), counts);
    let [cells, sum, squares] = [0, 0, 0];
    for (let code = 0; code <= TOP_CODE; code++) {
      cells += counts[code];
      sum += counts[code] * code;
      squares += counts[code] * code * code;
    }
    const step = (frame.high[channel] - frame.low[channel]) / TOP_CODE;
    return (squares / cells - (sum / cells) ** 2) * step * step;
  });
}

/**
 * Pearson's correlation of each channel with one of them, cell by cell, where both are finite. NaN
 * with a channel that is constant.
 * @param {OrderedFrame} frame
 * @param {number} reference
 */
export function similarities(frame, reference) {
  const one = frame.plane(reference);
  return Float64Array.from({ length: frame.channels }, (_, channel) => {
    const other = frame.plane(channel);
    let [cells, a, b, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < one.length; i++) {
      const [x, y] = [one[i], other[i]];
      if (x > TOP_CODE || y > TOP_CODE) continue;
      cells++;
      a += x;
      b += y;
      aa += x * x;
      bb += y * y;
      ab += x * y;
    }
    return (cells * ab - a * b) / Math.sqrt((cells * aa - a * a) * (cells * bb - b * b));
  });
}

/** @returns {ArrayLike<number> | null} what the channels are sorted by; null by index */
function orderKeys(
  /** @type {OrderedFrame} */ frame,
  /** @type {string} */ order,
  /** @type {number} */ reference,
) {
  if (order === "strength") return frame.strength;
  if (order === "maximum") return frame.high;
  if (order === "zeros") return frame.zeros;
  if (order === "variance") return variances(frame);
  if (order !== "similarity" || frame.isVector) return null;
  const keys = similarities(frame, reference);
  keys[reference] = Infinity;
  return keys;
}

/**
 * The channels in the order they are shown: by index, or the greatest first and NaN last.
 * @param {OrderedFrame} frame
 * @param {string} order a key of `ORDER_NAMES`
 * @param {number} [reference] the channel that similarity is measured to
 * @returns {number[]}
 */
export function channelOrder(frame, order, reference = 0) {
  const to = Math.max(0, Math.min(frame.channels - 1, reference));
  return frame.recall("order", `${order} ${order === "similarity" ? to : ""}`, () => {
    const keys = orderKeys(frame, order, to);
    return sortedChannels(keys ?? new Float32Array(frame.channels));
  });
}

/**
 * The channels in the order of a model, without those it hides; the one that is shown stays.
 * @param {OrderedFrame} frame
 * @param {any} model with the traits `order`, `reference` and `hide`
 * @param {number} shown
 */
export function visibleChannels(frame, model, shown) {
  const all = channelOrder(frame, model.get("order"), model.get("reference"));
  if (!model.get("hide")) return all;
  const kinds = channelKinds(frame);
  return all.filter((channel) => !kinds[channel] || channel === shown);
}

/** The channel with the greatest mean; of those that are not hidden, if there are any. */
export function strongestChannel(/** @type {OrderedFrame} */ frame, /** @type {boolean} */ hide) {
  const all = sortedChannels(frame.strength);
  const kinds = channelKinds(frame);
  return (hide ? all.find((channel) => !kinds[channel]) : undefined) ?? all[0];
}

/** Channels by a number of each, the greatest first and NaN last. */
export function sortedChannels(/** @type {ArrayLike<number>} */ keys) {
  const ranks = Float64Array.from(keys, (key) => (Number.isNaN(key) ? -Infinity : key));
  const channels = Array.from(ranks, (_, channel) => channel);
  // Two infinities have no difference.
  return channels.sort((a, b) => (ranks[a] === ranks[b] ? a - b : ranks[b] > ranks[a] ? 1 : -1));
}

/** One channel in words: `mean 0.31 · max 4.20 · zeros 52 %`. */
export function channelFacts(/** @type {OrderedFrame} */ frame, /** @type {number} */ channel) {
  const [mean, high] = [frame.strength[channel], frame.high[channel]];
  const zeros = formatShare(frame.zeros[channel]);
  return `mean ${formatShort(mean)} · max ${formatShort(high)} · zeros ${zeros}`;
}

/**
 * The drop-down for the order of the channels. Similarity is to the channel that was chosen when it
 * was picked: measured to each next one, the channels would run away under the pointer. A button
 * takes the present one.
 * @param {any} model with the traits `order` and `reference`
 * @param {string} trait that holds the channel
 * @param {AbortSignal} signal
 */
export function orderControl(model, trait, signal) {
  const label = "Order of the channels";
  const select = element("select", { class: "rw-select", "aria-label": label, title: label });
  for (const [value, text] of Object.entries(ORDER_NAMES)) {
    select.append(element("option", { value, text }));
  }
  const again = element("button", { type: "button" });
  const node = element("div", { class: "rw-order" }, select, again);
  const takeReference = () => setTrait(model, "reference", model.get(trait));

  function show() {
    const [order, reference, channel] = ["order", "reference", trait].map((name) =>
      model.get(name),
    );
    if (order === "similarity" && reference < 0) {
      takeReference();
      return;
    }
    if (select.value !== order) select.value = order;
    const similar = order === "similarity";
    const last = /** @type {HTMLOptionElement} */ (select.options[select.options.length - 1]);
    change(last, { text: similar ? `like ch ${reference}` : ORDER_NAMES.similarity });
    changeAndHandOn(again, { hidden: !similar || reference === channel });
    if (again.hidden) return;
    const title = `Sort by similarity to channel ${channel}, the one shown`;
    change(again, { text: `like ${channel}`, title });
  }
  select.addEventListener(
    "change",
    () => {
      const order = select.value;
      if (order === "similarity") takeReference();
      setTrait(model, "order", order);
    },
    { signal },
  );
  again.addEventListener("click", takeReference, { signal });
  onChange(model, ["order", "reference", trait], show, signal);
  show();
  return node;
}
