// What looks at the pixel pointed at: a frame around these cells, in every tile of the contact sheet.

import { change, element } from "./shared.js";
import { GAP, tileAt } from "./sheet_layout.js";

/** A canvas that lies over that of the tiles. */
export function sheetOutline() {
  const node = element("canvas", { class: "rw-sheet-looking", "aria-hidden": "true" });

  return {
    node,
    /**
     * @param {number[]} box the cells, as a cursor; `[]` for none
     * @param {HTMLCanvasElement} canvas with the tiles
     * @param {ReturnType<typeof import("./sheet_layout.js").sheetLayout>} layout
     * @param {{ first: number, last: number, width: number }} painted rows of tiles from `first` on,
     *   the position after the last tile, and the width of the sheet
     */
    draw(box, canvas, layout, { first, last, width }) {
      change(node, { hidden: box.length !== 4 });
      if (node.hidden) return;
      for (const side of /** @type {const} */ (["top", "width", "height"])) {
        node.style[side] = canvas.style[side];
      }
      const context = /** @type {CanvasRenderingContext2D} */ (node.getContext("2d"));
      if (node.width === canvas.width && node.height === canvas.height) {
        context.clearRect(0, 0, node.width, node.height);
      } else {
        node.width = canvas.width;
        node.height = canvas.height;
      }
      const unit = canvas.width / width;
      const top = first * (layout.tileHeight + GAP);
      const path = new Path2D();
      for (let position = first * layout.columns; position < last; position++) {
        const { x, y } = tileAt(layout, position);
        const [left, upper, right, lower] = [
          x + box[0] * layout.tileWidth,
          y - top + box[1] * layout.tileHeight,
          x + box[2] * layout.tileWidth,
          y - top + box[3] * layout.tileHeight,
        ].map((edge) => Math.round(edge * unit));
        // All of it inside: what is beyond the first column would be cut off.
        const [wide, high] = [right - left - 3, lower - upper - 3];
        path.rect(left + 1.5, upper + 1.5, Math.max(0, wide), Math.max(0, high));
      }
      for (const [ink, line] of /** @type {const} */ ([
        ["#000", 3],
        ["#fff", 1],
      ])) {
        context.strokeStyle = ink;
        context.lineWidth = line;
        context.stroke(path);
      }
    },
  };
}
