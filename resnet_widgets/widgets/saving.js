// When the kernel hears of what is set. The page shows every step of a hand by itself, and each
// message makes a notebook redraw toolbar, status bar and icon twice: so the first change is said at
// once, and while more keep coming at most one message a model and `PACE`. The last is never lost.

/** Milliseconds. */
const PACE = 200;

/**
 * What was said about a model lately, what was not yet, and what listens for echoes of it.
 * @typedef {{ said: Record<string, unknown>, unsaid: Record<string, unknown>,
 *   deaf: Map<string, () => void>, timer: ReturnType<typeof setTimeout> }} Talk
 * @type {Map<any, Talk>}
 */
const talks = new Map();

const isEqual = (/** @type {unknown} */ one, /** @type {unknown} */ other) =>
  JSON.stringify(one) === JSON.stringify(other);

function say(/** @type {any} */ model, /** @type {Talk} */ talk) {
  for (const name of Object.keys(talk.unsaid)) talk.said[name] = model.get(name);
  talk.unsaid = {};
  try {
    model.save_changes();
  } catch {
    // The widget was closed meanwhile: there is nobody to tell.
  }
}

function end(/** @type {any} */ model, /** @type {Talk} */ talk) {
  clearTimeout(talk.timer);
  talks.delete(model);
  for (const [name, heard] of talk.deaf) model.off(`change:${name}`, heard);
}

const hasMore = (/** @type {Talk} */ { unsaid }) => Object.keys(unsaid).length > 0;

function sayMore(/** @type {any} */ model, /** @type {Talk} */ talk) {
  if (!hasMore(talk)) return end(model, talk);
  talk.timer = setTimeout(sayMore, PACE, model, talk);
  say(model, talk);
}

/** A kernel repeats to all pages what one has told it: no news to a page that is further already. */
function turnDeaf(/** @type {any} */ model, /** @type {Talk} */ talk, /** @type {string} */ name) {
  if (talk.deaf.has(name)) return;
  const heard = () => {
    const { said, unsaid } = talk;
    const now = model.get(name);
    if (!(name in said && name in unsaid) || isEqual(now, unsaid[name])) return;
    if (isEqual(now, said[name])) model.set(name, unsaid[name]);
  };
  talk.deaf.set(name, heard);
  model.on(`change:${name}`, heard);
}

/**
 * Sets several traits and tells the kernel, if any of them is a change. In the page they change at
 * once; what listeners set on the way goes along in the same message.
 * @param {any} model
 * @param {Record<string, unknown>} values
 */
export function setTraits(model, values) {
  const changed = Object.entries(values).filter(
    ([name, value]) => !isEqual(model.get(name), value),
  );
  if (!changed.length) return;
  const open = talks.get(model);
  /** @type {Talk} */
  const talk = open ?? {
    said: {},
    unsaid: {},
    deaf: new Map(),
    timer: setTimeout(() => sayMore(model, talk), PACE),
  };
  talks.set(model, talk);
  for (const [name, value] of changed) {
    talk.unsaid[name] = value;
    turnDeaf(model, talk, name);
    model.set(name, value);
  }
  if (!open) say(model, talk);
}

/** Says all that waits, now: a hand has let go, or a question follows that is about it. */
export function saveNow() {
  for (const [model, talk] of talks) {
    if (hasMore(talk)) say(model, talk);
    end(model, talk);
  }
}
