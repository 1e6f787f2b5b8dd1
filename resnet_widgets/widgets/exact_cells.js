// Exact numbers: the kernel is asked for all channels at the cell that is looked at.

/** Vectors that are kept; each is at most 8 kB for the layers of ResNet50. */
const KEPT = 64;
/** Milliseconds until a question counts as lost, and the next one is asked. */
const LOST = 4000;

/**
 * @typedef {[left: number, top: number, right: number, bottom: number]} Block
 * @typedef {{ photo: string, layer: string, block: number[] }} CellQuestion
 * @typedef {{ wanted: CellQuestion | null, asked: string, tell: () => void }} CellReader
 */

/**
 * @param {object} options
 * @param {(questions: (CellQuestion & { id: number })[]) => void} options.ask in one message
 * @param {(task: () => void) => void} [options.soon] defers questions, so that a pointer on its way
 *   asks for where it is, not for where it was, and several views ask together
 */
export function createCells({ ask, soon = (task) => requestAnimationFrame(task) }) {
  /** @type {Map<string, Float32Array | null>} the last used last; null where there is no answer */
  const vectors = new Map();
  /** @type {Map<string, { id: number, timer: any }>} */
  const open = new Map();
  /** @type {Set<CellReader>} */
  const readers = new Set();
  /** @type {Set<CellReader>} who asks when it is time */
  const asking = new Set();
  let lastId = Math.floor(Math.random() * 2 ** 40);

  const keyOf = (/** @type {CellQuestion} */ { photo, layer, block }) =>
    JSON.stringify([photo, layer, ...block]);

  function keep(/** @type {string} */ key, /** @type {Float32Array | null} */ vector) {
    vectors.delete(key);
    vectors.set(key, vector);
    for (const oldest of vectors.keys()) {
      if (vectors.size <= KEPT) break;
      vectors.delete(oldest);
    }
  }

  function queue(/** @type {CellReader} */ reader) {
    if (asking.size === 0) soon(send);
    asking.add(reader);
  }

  function send() {
    const questions = [...asking].flatMap((reader) => questionOf(reader) ?? []);
    asking.clear();
    if (questions.length) ask(questions);
  }

  /** What a reader has to ask, unless somebody has asked it already. */
  function questionOf(/** @type {CellReader} */ reader) {
    if (!reader.wanted || reader.asked || !readers.has(reader)) return null;
    const key = keyOf(reader.wanted);
    if (vectors.has(key)) return null;
    reader.asked = key;
    if (open.has(key)) return null;
    const id = ++lastId;
    const timer = /** @type {any} */ (setTimeout(() => close(key, false), LOST));
    timer.unref?.();
    open.set(key, { id, timer });
    return { id, ...reader.wanted };
  }

  /** One question has come to its end, with an answer or without. */
  function close(/** @type {string} */ key, /** @type {boolean} */ answered) {
    clearTimeout(open.get(key)?.timer);
    open.delete(key);
    for (const reader of readers) {
      if (reader.asked !== key) continue;
      reader.asked = "";
      const same = reader.wanted && keyOf(reader.wanted) === key;
      if (answered && same) reader.tell();
      if (!same) queue(reader);
    }
  }

  return {
    /**
     * For one view. Its newest question wins, and only one of them is on its way at a time.
     * @param {() => void} tell called when the answer to the newest question has come
     * @param {AbortSignal} [signal] when the view goes
     * @returns {(photo: string, layer: string, block: number[]) => Float32Array | null} the exact
     *   number of each channel, or the mean over the block; null while it is not here
     */
    reader(tell, signal) {
      /** @type {CellReader} */
      const reader = { wanted: null, asked: "", tell };
      readers.add(reader);
      signal?.addEventListener("abort", () => readers.delete(reader));
      return (photo, layer, block) => {
        reader.wanted = { photo, layer, block };
        const key = keyOf(reader.wanted);
        const known = vectors.get(key);
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
      if (!Array.isArray(message.block)) return;
      const key = keyOf(message);
      if (open.get(key)?.id !== message.id) return;
      if (message.kind === "cell") {
        const { buffer, byteOffset, byteLength } = buffers[0];
        keep(key, new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)));
      } else keep(key, null);
      close(key, true);
    },

    /** @param {string | null} photo */
    forget(photo) {
      const meant = (/** @type {string} */ key) => photo === null || JSON.parse(key)[0] === photo;
      for (const key of [...vectors.keys()]) if (meant(key)) vectors.delete(key);
      for (const key of [...open.keys()]) if (meant(key)) close(key, false);
    },
  };
}
