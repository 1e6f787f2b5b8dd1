// The page's half of the cache. Views read frames from it; what it lacks it asks the kernel for,
// once, however many views want it.

import { createCells, createPlanes } from "./exact_cells.js";
import { DRAWING, Frame } from "./frame.js";

/** Milliseconds after which a want is asked again, in case it was lost on the way, … */
const AGAIN = 8_000;
/** … and after which its readers are told; an answer that comes later is still taken. */
const GIVE_UP = 60_000;
const NO_ANSWER =
  "The kernel has not answered for a minute. If it is busy, the map will come when its cell has " +
  "ended; if it was restarted, run the cell of this widget again.";
/** Wants that have failed and are remembered. */
const MOST_FAILED = 32;

/**
 * @typedef {{ ids: Set<number>, photo: string, layer: string, timer: any }} Want
 */

/**
 * @typedef {{ key: string, photo: string, layer: string,
 *   resolve: (frame: Frame | null) => void, reject: (error: Error) => void }} Read
 * @typedef {{ waiting: Read | null, asked: string, shown: string }} Reader
 *   `asked` is the key of its one want in flight, `shown` that of the frame it read last.
 */

/**
 * What one answer of the kernel brings.
 * @param {any} message
 * @param {DataView[]} buffers
 */
function resultOf(message, buffers) {
  if (message.kind === "error") return new Error(message.message);
  try {
    const { layer, shape, reduction, step, muted } = message;
    return new Frame(layer, shape, buffers[0], reduction, step, muted);
  } catch (error) {
    return /** @type {Error} */ (error);
  }
}

/**
 * The store, apart from the widget it lives in.
 * @param {object} options
 * @param {(want: { id: number, photo: string, layer: string }) => void} options.ask
 * @param {() => number} options.limit bytes of frames to keep
 */
export function createStore({ ask, limit }) {
  /** @type {Map<string, Frame>} least recently used first */
  const frames = new Map();
  /** @type {Map<string, Want>} */
  const wants = new Map();
  /** Wants that ended without a frame, and the answers to them that are still taken.
   * @type {Map<string, Set<number>>} */
  const failed = new Map();
  /** @type {Set<Reader>} */
  const readers = new Set();
  /** @type {Set<(photo: string | null) => void>} */
  const forgetters = new Set();
  // Another page, or this one before a reload, may have wants in flight at the same kernel.
  let lastId = Math.floor(Math.random() * 2 ** 40);
  /** @type {{ photo: string, layer: string }[]} */
  let ahead = [];
  /** @type {Set<string>} */
  let aheadKeys = new Set();
  let aheadAsked = "";
  // Frames that were fetched ahead and that no view has read yet.
  /** @type {Set<string>} */
  const unread = new Set();

  const keyOf = (/** @type {string} */ photo, /** @type {string} */ layer) =>
    JSON.stringify([photo, layer]);

  function want(/** @type {string} */ photo, /** @type {string} */ layer) {
    const key = keyOf(photo, layer);
    if (wants.has(key)) return;
    /** @type {Want} */
    const entry = { ids: new Set(), photo, layer, timer: 0 };
    wants.set(key, entry);
    send(key, entry);
    wait(entry, AGAIN, () => {
      send(key, entry);
      wait(entry, GIVE_UP - AGAIN, () => {
        finish(key, new Error(NO_ANSWER), entry.ids);
      });
      // Whoever wants something else by now has waited long enough for this one.
      for (const reader of readers) {
        if (reader.asked !== key || reader.waiting?.key === key) continue;
        reader.asked = "";
        advance(reader);
      }
    });
  }

  function send(/** @type {string} */ key, /** @type {Want} */ { ids, photo, layer }) {
    ids.add(++lastId);
    try {
      ask({ id: lastId, photo, layer });
    } catch (error) {
      // Later, as any answer: the reader is in the middle of asking.
      queueMicrotask(() => finish(key, /** @type {Error} */ (error)));
    }
  }

  function wait(
    /** @type {Want} */ entry,
    /** @type {number} */ milliseconds,
    /** @type {() => void} */ then,
  ) {
    entry.timer = setTimeout(then, milliseconds);
    // Where this is tested, a process does not stay for it.
    entry.timer.unref?.();
  }

  function use(/** @type {string} */ key) {
    const frame = frames.get(key);
    if (frame) {
      drop(key);
      frames.set(key, frame);
    }
    return frame;
  }

  function drop(/** @type {string} */ key) {
    frames.delete(key);
    unread.delete(key);
  }

  /** Drops frames that nobody has read, then those that were used longest ago, but none in `keep`;
   * false if that is too few. */
  function trim(/** @type {Set<string>} */ keep) {
    let bytes = 0;
    for (const frame of frames.values()) bytes += frame.bytes;
    for (const key of [...unread, ...frames.keys()]) {
      const frame = frames.get(key);
      if (bytes <= limit()) break;
      if (!frame || keep.has(key)) continue;
      drop(key);
      bytes -= frame.bytes;
    }
    return bytes <= limit();
  }

  /** The frames that were read last, as many as fill half the room. */
  function lastRead() {
    const found = new Set();
    let bytes = 0;
    for (const [key, frame] of [...frames].reverse()) {
      if (unread.has(key)) continue;
      bytes += frame.bytes;
      if (bytes > limit() / 2) break;
      found.add(key);
    }
    return found;
  }

  function advance(/** @type {Reader} */ reader) {
    const read = reader.waiting;
    if (!read) return;
    const frame = use(read.key);
    if (frame) {
      reader.waiting = null;
      reader.shown = read.key;
      read.resolve(frame);
    } else if (!reader.asked) {
      reader.asked = read.key;
      want(read.photo, read.layer);
    }
  }

  function fetchAhead() {
    if (aheadAsked || [...readers].some((reader) => reader.waiting)) return;
    while (ahead.length) {
      const { photo, layer } = /** @type {{ photo: string, layer: string }} */ (ahead.shift());
      const key = keyOf(photo, layer);
      if (frames.has(key)) continue;
      aheadAsked = key;
      want(photo, layer);
      return;
    }
  }

  /** Views that were told there is no frame look again. @param {string | null} photo */
  function tell(photo) {
    for (const heard of [...forgetters]) heard(photo);
  }

  /**
   * One want has come to its end.
   * @param {string} key
   * @param {Frame | Error} result
   * @param {Set<number>} [late] its answers that may still come
   */
  function finish(key, result, late = new Set()) {
    clearTimeout(wants.get(key)?.timer);
    wants.delete(key);
    if (result instanceof Error) failed.set(key, late);
    if (failed.size > MOST_FAILED) {
      failed.delete(/** @type {string} */ (failed.keys().next().value));
    }
    const wasAhead = aheadAsked === key;
    if (wasAhead) aheadAsked = "";
    if (!(result instanceof Error)) frames.set(key, result);
    const eager = [...readers].some((reader) => reader.waiting?.key === key);
    for (const reader of readers) {
      if (reader.asked === key) reader.asked = "";
      if (reader.waiting?.key === key && result instanceof Error) {
        const { reject } = reader.waiting;
        reader.waiting = null;
        reject(result);
      }
      advance(reader);
    }
    const shown = [...readers].map((reader) => reader.shown);
    if (eager || !wasAhead) {
      if (!trim(new Set([...shown, ...aheadKeys]))) trim(new Set(shown));
    } else {
      if (frames.has(key)) unread.add(key);
      const kept = [...shown, ...lastRead()];
      if (!trim(new Set([...kept, ...aheadKeys]))) {
        // There is no room for more, but the first of the list are wanted most.
        ahead = [];
        const upToHere = [...aheadKeys].slice(0, [...aheadKeys].indexOf(key) + 1);
        if (!trim(new Set([...kept, ...upToHere]))) drop(key);
      }
    }
    if (eager) /** @type {any} */ (setTimeout(fetchAhead, DRAWING)).unref?.();
    else fetchAhead();
  }

  return {
    /**
     * For one view. Its newest read wins, and only one of its wants is in flight at a time.
     * @param {AbortSignal} [signal] when the view goes
     */
    reader(signal) {
      /** @type {Reader} */
      const reader = { waiting: null, asked: "", shown: "" };
      readers.add(reader);
      const supersede = () => {
        reader.waiting?.resolve(null);
        reader.waiting = null;
      };
      signal?.addEventListener("abort", () => {
        supersede();
        readers.delete(reader);
      });
      return {
        /**
         * @param {string} photo
         * @param {string} layer
         * @returns {Promise<Frame | null>} null once a newer read has taken this one's place
         */
        read(photo, layer) {
          supersede();
          return new Promise((resolve, reject) => {
            reader.waiting = { key: keyOf(photo, layer), photo, layer, resolve, reject };
            advance(reader);
          });
        },
      };
    },

    /**
     * What will probably be looked at next, the most probable first; fetched one at a time while
     * nobody waits for a frame, and only as long as there is room beside what is shown and half of
     * what was read last. Replaces the previous list.
     * @param {string} photo
     * @param {string[]} layers
     */
    prefetch(photo, layers) {
      ahead = layers.map((layer) => ({ photo, layer }));
      aheadKeys = new Set(layers.map((layer) => keyOf(photo, layer)));
      fetchAhead();
    },

    /**
     * The frame if it is here, without asking for it.
     * @param {string} photo
     * @param {string} layer
     * @returns {Frame | null}
     */
    peek(photo, layer) {
      return frames.get(keyOf(photo, layer)) ?? null;
    },

    /**
     * Calls `heard` when frames have become worthless: those of one photo, or of all (null).
     * @param {(photo: string | null) => void} heard
     * @param {AbortSignal} signal
     */
    onForget(heard, signal) {
      forgetters.add(heard);
      signal.addEventListener("abort", () => forgetters.delete(heard));
    },

    /**
     * One message from the kernel. Answers to a question nobody asks any more are dropped.
     * @param {any} message
     * @param {DataView[]} buffers
     */
    receive(message, buffers) {
      if (message.kind === "forget") this.forget(message.photo);
      const key = keyOf(message.photo, message.layer);
      const isLate = failed.get(key)?.has(message.id) ?? false;
      if (!isLate && !wants.get(key)?.ids.has(message.id)) return;
      if (message.kind !== "frame" && message.kind !== "error") return;
      const result = resultOf(message, buffers);
      finish(key, result);
      // Told of an error, views would ask again at once, and again; of a late one they know nothing.
      const isNews = isLate || !(result instanceof Error);
      if (isNews && failed.delete(key)) tell(message.photo);
    },

    /**
     * Chosen anew, a frame that views could not have is asked for again.
     * @param {string} photo
     * @param {string} layer
     */
    retry(photo, layer) {
      if (failed.delete(keyOf(photo, layer))) tell(photo);
    },

    /** @param {string | null} photo */
    forget(photo) {
      const meant = (/** @type {string} */ key) => photo === null || JSON.parse(key)[0] === photo;
      for (const key of [...frames.keys()]) if (meant(key)) drop(key);
      ahead = ahead.filter((next) => photo !== null && next.photo !== photo);
      // An answer on its way may still be of the old kind, so those wants are asked again.
      for (const [key, { photo: of, layer }] of [...wants]) {
        if (!meant(key)) continue;
        clearTimeout(wants.get(key)?.timer);
        wants.delete(key);
        want(of, layer);
      }
      for (const key of [...failed.keys()]) if (meant(key)) failed.delete(key);
      tell(photo);
    },
  };
}

export default {
  /** @param {{ model: any }} context */
  initialize({ model }) {
    const store = createStore({
      ask: (want) => model.send({ kind: "want", ...want }),
      limit: () => model.get("page_bytes"),
    });
    const cells = createCells({ ask: (asked) => model.send({ kind: "cells", cells: asked }) });
    const planes = createPlanes({ ask: (asked) => model.send({ kind: "planes", planes: asked }) });
    model.on("msg:custom", (/** @type {any} */ message, /** @type {DataView[]} */ buffers) => {
      store.receive(message, buffers);
      cells.receive(message, buffers);
      planes.receive(message, buffers);
    });
    const { reader, prefetch, peek, retry, onForget } = store;
    return {
      reader,
      prefetch,
      peek,
      retry,
      onForget,
      /**
       * Exact numbers for one view; see `createCells`. Always null where the kernel has none.
       * @param {() => void} tell
       * @param {AbortSignal} [signal]
       */
      cells: (tell, signal) => (model.get("has_exact") ? cells.reader(tell, signal) : () => null),
      /**
       * The bytes of whole planes for one view of a reduced frame, likewise.
       * @param {() => void} tell
       * @param {AbortSignal} [signal]
       */
      planes: (tell, signal) => (model.get("has_exact") ? planes.reader(tell, signal) : () => null),
    };
  },
};
