// Edits as a page has them: a list of what is done to which channels of which layer.

/**
 * The edits after a channel was scaled: one number for a channel, however often it is moved, and
 * whether or not it was muted before.
 * @param {any[]} edits
 * @param {string} layer
 * @param {number} channel
 * @param {number} factor
 */
export function withScale(edits, layer, channel, factor) {
  const rest = edits.filter((edit) => !isKnobOf(edit, layer, channel));
  if (factor === 1) return rest;
  return [...rest, { kind: "scale", layer, channels: [channel], factor }];
}

/**
 * Whether an edit mutes or scales this channel and no other.
 * @param {any} edit
 * @param {string} layer
 * @param {number} channel
 */
function isKnobOf({ kind, layer: of, channels }, layer, channel) {
  const isKnob = kind === "mute" || kind === "scale";
  return isKnob && of === layer && channels.length === 1 && channels[0] === channel;
}

/**
 * What a channel is multiplied with: 0 where it is muted, else by its own scale.
 * @param {any[]} edits
 * @param {string} layer
 * @param {number} channel
 */
export function factorOf(edits, layer, channel) {
  const isSilent = edits.some(
    ({ kind, layer: of, channels }) =>
      of === layer &&
      ((kind === "mute" && channels.includes(channel)) ||
        (kind === "solo" && !channels.includes(channel))),
  );
  const own = edits.find((edit) => edit.kind === "scale" && isKnobOf(edit, layer, channel));
  return isSilent ? 0 : (own?.factor ?? 1);
}

/**
 * The edits with one more, or without it if it is there already.
 * @param {any[]} edits
 * @param {any} edit
 */
export function toggled(edits, edit) {
  const rest = edits.filter((one) => !isSame(one, edit));
  return rest.length < edits.length ? rest : [...edits, edit];
}

/** Whether two edits do the same. */
export const isSame = (/** @type {any} */ a, /** @type {any} */ b) =>
  ["kind", "layer", "channels", "box", "factor"].every(
    (name) => JSON.stringify(a[name]) === JSON.stringify(b[name]),
  );

/** Whether two lists of edits do the same, in any order. */
export const areSame = (/** @type {any[]} */ a, /** @type {any[]} */ b) =>
  a.length === b.length && a.every((edit) => b.some((other) => isSame(edit, other)));
