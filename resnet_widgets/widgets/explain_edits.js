// Edits as a page has them: a list of what is done to which channels of which layer. Channels are
// in order, as the kernel has them, so that one set is one list.

/**
 * The edits after channels were scaled together: one number for a set, however often it is moved,
 * and whether or not it was muted before.
 * @param {any[]} edits
 * @param {string} layer
 * @param {number[]} channels
 * @param {number} factor
 */
export function withScale(edits, layer, channels, factor) {
  const rest = edits.filter((edit) => !isKnobOf(edit, layer, channels));
  if (factor === 1) return rest;
  return [...rest, { kind: "scale", layer, channels, factor }];
}

/**
 * Whether an edit mutes or scales these channels, all of them and no other.
 * @param {any} edit
 * @param {string} layer
 * @param {number[]} channels
 */
function isKnobOf({ kind, layer: of, channels: those }, layer, channels) {
  const isKnob = kind === "mute" || kind === "scale";
  const isOfAll = isKnob && of === layer && those.length === channels.length;
  return isOfAll && JSON.stringify(those) === JSON.stringify(channels);
}

/**
 * What channels are multiplied with: 0 where all of them are silent, else by a scale of just this
 * set. What is done to some of them alone is not theirs together.
 * @param {any[]} edits
 * @param {string} layer
 * @param {number[]} channels
 */
export function factorOf(edits, layer, channels) {
  const here = edits.filter((edit) => edit.layer === layer);
  const loud = new Set(channels);
  for (const { kind, channels: those, factor } of here) {
    if (kind === "mute" || factor === 0) for (const channel of those) loud.delete(channel);
    if (kind !== "solo") continue;
    const kept = new Set(those);
    for (const channel of loud) if (!kept.has(channel)) loud.delete(channel);
  }
  const own = here.find((edit) => edit.kind === "scale" && isKnobOf(edit, layer, channels));
  return loud.size === 0 ? 0 : (own?.factor ?? 1);
}

/**
 * Whether all of these channels are scaled by an edit that is not of just this set.
 * @param {any[]} edits
 * @param {string} layer
 * @param {number[]} channels
 */
export function areScaledByOthers(edits, layer, channels) {
  const others = withScale(edits, layer, channels, 1).filter(
    (edit) => edit.kind === "scale" && edit.layer === layer && edit.factor !== 1,
  );
  const rest = new Set(channels);
  for (const other of others) for (const channel of other.channels) rest.delete(channel);
  return rest.size === 0;
}

/**
 * The edits with one more, or without it if it is there already. A solo takes the place of another
 * of its layer: two would leave only what is in both, mostly nothing.
 * @param {any[]} edits
 * @param {any} edit
 */
export function toggled(edits, edit) {
  const rest = edits.filter((one) => !isSame(one, edit));
  if (rest.length < edits.length) return rest;
  const isReplaced = (/** @type {any} */ { kind, layer }) =>
    edit.kind === "solo" && kind === "solo" && layer === edit.layer;
  return [...edits.filter((one) => !isReplaced(one)), edit];
}

/** Whether two edits do the same. */
export const isSame = (/** @type {any} */ a, /** @type {any} */ b) =>
  ["kind", "layer", "channels", "box", "factor"].every(
    (name) => JSON.stringify(a[name]) === JSON.stringify(b[name]),
  );

/** Whether two lists of edits do the same, in any order. */
export const areSame = (/** @type {any[]} */ a, /** @type {any[]} */ b) =>
  a.length === b.length && a.every((edit) => b.some((other) => isSame(edit, other)));
