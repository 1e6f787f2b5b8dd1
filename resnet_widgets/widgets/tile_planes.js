// What a sheet paints of each channel: its plane, or where a tile has fewer pixels than that has
// bytes, a smaller one that is made once and holds for all colours.

import { cellSpans, paintTile } from "./colors.js";

const CODES = Uint8Array.from({ length: 256 }, (_, code) => code);

/** @typedef {import("./frame.js").Frame} TiledFrame */

export function tilePlanes() {
  /** @type {{ of: TiledFrame | null, size: string, planes: Map<number, Uint8Array> }} */
  let kept = { of: null, size: "", planes: new Map() };

  /**
   * @param {TiledFrame} frame
   * @param {number} width of a tile in pixels
   * @param {number} height
   */
  return (frame, width, height) => {
    const columns = cellSpans(frame.columns, width);
    const rows = cellSpans(frame.rows, height);
    if (width >= frame.columns || height >= frame.rows) {
      const planeOf = (/** @type {number} */ channel) => frame.plane(channel);
      return { planeOf, stride: frame.columns, columns, rows };
    }
    const size = `${width} × ${height}`;
    if (kept.of !== frame || kept.size !== size) kept = { of: frame, size, planes: new Map() };
    const { planes } = kept;
    /** @param {number} channel */
    function planeOf(channel) {
      const known = planes.get(channel);
      if (known) return known;
      const made = new Uint8Array(width * height);
      paintTile(made, width, 0, 0, columns, rows, frame.plane(channel), frame.columns, CODES);
      planes.set(channel, made);
      return made;
    }
    const pixel = { columns: cellSpans(width, width), rows: cellSpans(height, height) };
    return { planeOf, stride: width, ...pixel };
  };
}
