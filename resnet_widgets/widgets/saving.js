// When the kernel hears of what is set. The page shows every step of a hand by itself, and each
// message makes a notebook redraw toolbar, status bar and icon twice: so the first change is said as
// soon as the page has taken it in, and while more keep coming at most one message a model and
// `PACE`. The last is never lost.

/** Milliseconds. */
const PACE = 200;

/**
 * What is not said yet of each model that something was said about lately. Each widget is a module
 * of its own with its own copy of this: `saveNow` says what its widget has set, and no other's.
 * `isLater`: nothing of it has been due at once.
 * @typedef {ReturnType<typeof setTimeout>} Timer
 * @typedef {{ unsaid: Record<string, unknown>, isLater: boolean, timer: Timer }} Talk
 * @type {Map<any, Talk>}
 */
const talks = new Map();

const isEqual = (/** @type {unknown} */ one, /** @type {unknown} */ other) =>
  JSON.stringify(one) === JSON.stringify(other);

function say(/** @type {any} */ model, /** @type {Talk} */ talk) {
  talk.unsaid = {};
  talk.isLater = false;
  try {
    model.save_changes();
  } catch (error) {
    // Where the widget was closed meanwhile there is nobody to tell. ipywidgets throws a text.
    if (!String(error).includes("Syncing error")) console.error(error);
  }
}

const hasMore = (/** @type {Talk} */ { unsaid }) => Object.keys(unsaid).length > 0;

function sayMore(/** @type {any} */ model, /** @type {Talk} */ talk) {
  if (!hasMore(talk)) return talks.delete(model);
  talk.timer = setTimeout(sayMore, PACE, model, talk);
  say(model, talk);
}

/**
 * What a hand has set and the kernel has not heard yet stays, whatever the kernel says meanwhile.
 * Only for traits that it repeats to all pages: a change of another one is by a part of this page.
 * @param {any} model
 * @param {string[]} names
 * @param {AbortSignal} signal
 */
export function handWins(model, names, signal) {
  for (const name of names) {
    const heard = () => {
      const unsaid = talks.get(model)?.unsaid;
      if (unsaid && name in unsaid) model.set(name, unsaid[name]);
    };
    model.on(`change:${name}`, heard);
    signal.addEventListener("abort", () => model.off(`change:${name}`, heard));
  }
}

/**
 * Sets several traits and tells the kernel, if any of them is a change. In the page they change at
 * once; what listeners set on the way goes along in the same message.
 * @param {any} model
 * @param {Record<string, unknown>} values
 * @param {{ later?: boolean }} [how] with `later` the kernel is told by the next `saveNow`, or after
 *   `PACE`: until then it has something better to do
 */
export function setTraits(model, values, { later = false } = {}) {
  const changed = Object.entries(values).filter(
    ([name, value]) => !isEqual(model.get(name), value),
  );
  if (!changed.length) return;
  const open = talks.get(model);
  /** @type {Talk} */
  const talk = open ?? {
    unsaid: {},
    isLater: true,
    timer: setTimeout(() => sayMore(model, talk), PACE),
  };
  talks.set(model, talk);
  for (const [name, value] of changed) {
    talk.unsaid[name] = value;
    model.set(name, value);
  }
  // Soon: what views ask the kernel for because of it, a microtask later, goes first, because a
  // person waits for the answer.
  if (later || !talk.isLater) return;
  talk.isLater = false;
  queueMicrotask(() => talks.get(model) === talk && hasMore(talk) && say(model, talk));
}

/** Says all that waits, now: a hand has let go, or a question follows that is about it. */
export function saveNow() {
  for (const [model, talk] of [...talks]) {
    // It ends first: what listeners set while it is told begins another.
    clearTimeout(talk.timer);
    talks.delete(model);
    if (hasMore(talk)) say(model, talk);
  }
}
