// Exact numbers for one view, whatever store its frame is from.

/**
 * @typedef {{ store: any, photo: string }} From where a frame is from, and of which photo it is
 */

/**
 * @param {"cells" | "planes"} kind as in `exact_cells.js`
 * @param {() => void} tell called when the answer to the newest question has come
 * @param {AbortSignal} signal
 */
export function exactReader(kind, tell, signal) {
  /** @type {any} */
  let store = null;
  /** @type {(photo: string, layer: string, part: any) => any} */
  let ask = () => null;
  return {
    /** Asks this store from now on, if there is one. */
    from(/** @type {any} */ next) {
      if (!next || next === store) return;
      store = next;
      ask = next[kind](tell, signal);
    },

    /**
     * @param {string} photo
     * @param {string} layer
     * @param {any} part a block of cells, or a channel
     * @returns {any} null while it is not here
     */
    ask: (photo, layer, part) => ask(photo, layer, part),
  };
}
