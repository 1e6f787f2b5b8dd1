// All cells of the channel that is looked at, where the frame has only means of them.

import { exactReader } from "./exact_reader.js";

/**
 * @typedef {{ plane: Uint8Array, columns: number, reduction: number }} Cells bytes row after row, so
 *   many in a row, each of a square of so many cells a side
 */

/**
 * For one view: what there is of a channel. A reduced frame is shown as it is until the bytes of
 * every cell have come; then `tell` is called.
 * @param {() => void} tell
 * @param {AbortSignal} signal
 */
export function wholePlanes(tell, signal) {
  const planes = exactReader("planes", tell, signal);

  return {
    from: planes.from,

    /**
     * @param {string} photo
     * @param {import("./frame.js").Frame} frame
     * @param {number} channel
     * @returns {Cells}
     */
    of(photo, frame, channel) {
      const { reduction, columns, width, height, layer } = frame;
      const whole = reduction > 1 ? planes.ask(photo, layer, channel) : null;
      if (whole?.length === width * height) return { plane: whole, columns: width, reduction: 1 };
      return { plane: frame.plane(channel), columns, reduction };
    },
  };
}

/**
 * Which byte of a row, or of a column, each of `size` cells is in; as from `cellSpans`.
 * @param {number} size
 * @param {number} reduction
 */
export function squareSpans(size, reduction) {
  const start = Int32Array.from({ length: size }, (_, i) => Math.floor(i / reduction));
  return { start, end: start.map((i) => i + 1) };
}

/** What a person should know about bytes that are no cells, or "". */
export function reductionNote(/** @type {number} */ reduction) {
  return reduction > 1 ? `means of ${reduction} × ${reduction} cells` : "";
}
