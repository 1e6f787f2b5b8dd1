// Exact numbers: the kernel is asked for all channels at the cell that is looked at, and for all
// cells of the channel that is looked at where its frame is reduced.

/** Vectors that are kept; each is at most 8 kB for the layers of ResNet50. */
const KEPT_CELLS = 64;
/** Planes that are kept; 256 kB each at 512 × 512. */
const KEPT_PLANES = 8;
/** Milliseconds until a question counts as lost, and the next one is asked. */
const LOST = 4000;
/** Lost questions whose answers are still taken, however late they come. */
const KEPT_LOST = 64;
/** Questions in one message: the kernel drops one with more, as `frame_store.py` says. */
const MOST_ASKED = 32;

/**
 * @typedef {object} PartOptions
 * @property {(questions: any[]) => void} ask in one message
 * @property {(task: () => void) => void} [soon] defers questions, so that a pointer on its way asks
 *   for where it is, not for where it was, and several views ask together
 */

/**
 * The exact number of each channel at a cell, or the means over a block of cells:
 * `[left, top, right, bottom]`.
 * @param {PartOptions} options
 */
export function createCells(options) {
  const floats = (/** @type {DataView} */ { buffer, byteOffset, byteLength }) =>
    new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  return createParts("cell", "block", KEPT_CELLS, floats, options);
}

/**
 * The bytes of one channel, every cell of it.
 * @param {PartOptions} options
 */
export function createPlanes(options) {
  const bytes = (/** @type {DataView} */ { buffer, byteOffset, byteLength }) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  return createParts("plane", "channel", KEPT_PLANES, bytes, options);
}

/**
 * Parts of activations, asked for where they are looked at.
 * @template Part, Answer
 * @param {string} kind of the answers
 * @param {string} name under which a message says which part
 * @param {number} kept how many answers
 * @param {(buffer: DataView) => Answer} decode
 * @param {PartOptions} options
 */
function createParts(
  kind,
  name,
  kept,
  decode,
  { ask, soon = (task) => requestAnimationFrame(task) },
) {
  /** @typedef {{ photo: string, layer: string, part: Part }} Question */
  /** @typedef {{ wanted: Question | null, asked: string, tell: () => void }} PartReader */
  /** @type {Map<string, Answer | null>} the last used last; null where there is no answer */
  const answers = new Map();
  /** @type {Map<string, { id: number, timer: any }>} */
  const open = new Map();
  /** @type {Map<string, number>} the id of what was lost, the oldest first */
  const lost = new Map();
  /** @type {Set<PartReader>} */
  const readers = new Set();
  /** @type {Set<PartReader>} who asks when it is time */
  const asking = new Set();
  let lastId = Math.floor(Math.random() * 2 ** 40);

  const keyOf = (/** @type {Question} */ { photo, layer, part }) =>
    JSON.stringify([photo, layer, part]);

  function keep(/** @type {string} */ key, /** @type {Answer | null} */ answer) {
    answers.delete(key);
    answers.set(key, answer);
    for (const oldest of answers.keys()) {
      if (answers.size <= kept) break;
      answers.delete(oldest);
    }
  }

  function queue(/** @type {PartReader} */ reader) {
    if (asking.size === 0) soon(send);
    asking.add(reader);
  }

  function send() {
    const questions = [...asking].flatMap((reader) => questionOf(reader) ?? []);
    asking.clear();
    while (questions.length) ask(questions.splice(0, MOST_ASKED));
  }

  /** What a reader has to ask, unless somebody has asked it already. */
  function questionOf(/** @type {PartReader} */ reader) {
    if (!reader.wanted || reader.asked || !readers.has(reader)) return null;
    const key = keyOf(reader.wanted);
    if (answers.has(key)) return null;
    reader.asked = key;
    if (open.has(key)) return null;
    const id = ++lastId;
    const timer = /** @type {any} */ (setTimeout(() => lose(key, id), LOST));
    timer.unref?.();
    open.set(key, { id, timer });
    const { photo, layer, part } = reader.wanted;
    return { id, photo, layer, [name]: part };
  }

  /** Nobody waits for an answer any more; it may come yet. */
  function lose(/** @type {string} */ key, /** @type {number} */ id) {
    lost.delete(key);
    lost.set(key, id);
    for (const oldest of lost.keys()) {
      if (lost.size <= KEPT_LOST) break;
      lost.delete(oldest);
    }
    close(key, false);
  }

  /** One question has come to its end, with an answer or without. */
  function close(/** @type {string} */ key, /** @type {boolean} */ answered) {
    clearTimeout(open.get(key)?.timer);
    open.delete(key);
    for (const reader of readers) {
      const same = reader.wanted && keyOf(reader.wanted) === key;
      if (reader.asked === key) {
        reader.asked = "";
        if (!same) queue(reader);
      }
      if (answered && same) reader.tell();
    }
  }

  return {
    /**
     * For one view. Its newest question wins, and only one of them is on its way at a time.
     * @param {() => void} tell called when the answer to the newest question has come
     * @param {AbortSignal} [signal] when the view goes
     * @returns {(photo: string, layer: string, part: Part) => Answer | null} null while it is not
     *   here
     */
    reader(tell, signal) {
      /** @type {PartReader} */
      const reader = { wanted: null, asked: "", tell };
      readers.add(reader);
      signal?.addEventListener("abort", () => readers.delete(reader));
      return (photo, layer, part) => {
        reader.wanted = { photo, layer, part };
        const key = keyOf(reader.wanted);
        const known = answers.get(key);
        if (known !== undefined) {
          keep(key, known);
          return known;
        }
        queue(reader);
        return null;
      };
    },

    /**
     * One message from the kernel.
     * @param {any} message
     * @param {DataView[]} buffers
     */
    receive(message, buffers) {
      if (message.kind === "forget") this.forget(message.photo);
      if (message[name] === undefined) return;
      const key = keyOf({ ...message, part: message[name] });
      if (open.get(key)?.id !== message.id && lost.get(key) !== message.id) return;
      lost.delete(key);
      keep(key, message.kind === kind ? decode(buffers[0]) : null);
      close(key, true);
    },

    /** @param {string | null} photo */
    forget(photo) {
      const meant = (/** @type {string} */ key) => photo === null || JSON.parse(key)[0] === photo;
      for (const key of [...answers.keys()]) if (meant(key)) answers.delete(key);
      for (const key of [...lost.keys()]) if (meant(key)) lost.delete(key);
      for (const key of [...open.keys()]) if (meant(key)) close(key, false);
    },
  };
}
