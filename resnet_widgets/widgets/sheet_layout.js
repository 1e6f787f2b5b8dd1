// Where the tiles of a contact sheet are, as pure functions.

export const GAP = 2;
const LARGEST = 72;
const SMALLEST = 28;
/** A sheet that can be this low without its tiles getting smaller than SMALLEST is. */
const LOW = 170;
export const ZOOMS = { least: 0.5, most: 16, step: Math.SQRT2 };

/** A zoom within its limits. */
export function clampZoom(/** @type {number} */ zoom) {
  const near = Math.round(zoom * 1000) / 1000;
  return Math.max(ZOOMS.least, Math.min(ZOOMS.most, near));
}

/**
 * Tiles as large as the room allows, in rows that fill the width. All lengths in the unit of `width`.
 * @param {number} count of tiles
 * @param {number} width of the sheet
 * @param {number} aspect height of a tile over its width
 * @param {number} [zoom] how much larger than that the tiles are
 */
export function sheetLayout(count, width, aspect, zoom = 1) {
  const columnsOf = (/** @type {number} */ tile) =>
    Math.max(1, Math.min(count, Math.floor((width + GAP) / (tile + GAP))));
  const measure = (/** @type {number} */ columns, largest = LARGEST) => {
    const rows = Math.ceil(count / columns);
    const room = Math.floor((width + GAP) / columns - GAP);
    const tileWidth = Math.max(1, rows > 1 ? room : Math.min(room, largest));
    const tileHeight = Math.max(1, Math.round(tileWidth * aspect));
    // What is left over goes between the tiles, or the right edge would be ragged.
    const pitch = rows > 1 ? (width + GAP) / columns : tileWidth + GAP;
    return { columns, rows, tileWidth, tileHeight, pitch, height: rows * (tileHeight + GAP) - GAP };
  };
  const most = columnsOf(SMALLEST);
  let columns = columnsOf(LARGEST);
  while (columns < most && measure(columns).height > LOW) columns++;
  let fitted = measure(columns);
  // One row less for slightly smaller tiles, rather than a last row with a few of them.
  const denser = fitted.rows > 1 ? measure(Math.ceil(count / (fitted.rows - 1))) : fitted;
  if (denser.columns <= most && denser.tileWidth >= 0.85 * fitted.tileWidth) fitted = denser;
  if (zoom === 1) return fitted;
  const largest = Math.min(width, fitted.tileWidth * zoom);
  return measure(columnsOf(largest), Math.floor(largest));
}

/** Left and upper edge of the tile at a position. */
export function tileAt(
  /** @type {ReturnType<typeof sheetLayout>} */ layout,
  /** @type {number} */ position,
) {
  return {
    x: Math.round((position % layout.columns) * layout.pitch),
    y: Math.floor(position / layout.columns) * (layout.tileHeight + GAP),
  };
}

/**
 * The rows to paint: those in view, and as much again above and below, so that a scroll finds them
 * there.
 * @param {ReturnType<typeof sheetLayout>} layout
 * @param {number} top of the view
 * @param {number} height of the view
 * @returns {[first: number, end: number]}
 */
export function rowsToPaint(layout, top, height) {
  const pitch = layout.tileHeight + GAP;
  const first = Math.max(0, Math.floor((top - height) / pitch));
  return [
    Math.min(first, layout.rows),
    Math.min(layout.rows, Math.ceil((top + 2 * height) / pitch)),
  ];
}

/**
 * Where the view has to begin for a tile to be all in it: where it does now if that will do, else
 * where a row begins.
 * @param {number} y upper edge of the tile
 * @param {number} tileHeight
 * @param {{ top: number, height: number }} view
 */
export function scrollToTile(y, tileHeight, view) {
  const pitch = tileHeight + GAP;
  const least = y + tileHeight - view.height;
  // A tile higher than the view is never all in it; some of it will do.
  const isOut = y < view.top || y >= view.top + view.height;
  if (tileHeight >= view.height) return isOut ? y : view.top;
  if (y < view.top) return y;
  return least > view.top ? Math.min(y, Math.ceil(least / pitch) * pitch) : view.top;
}

/**
 * Where a key takes the selection: a position in the sheet, or -1 for keys that are not ours.
 * @param {string} key
 * @param {number} position
 * @param {number} count
 * @param {number} columns
 */
export function walkSheet(key, position, count, columns) {
  /** @type {Record<string, number>} */
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -5 * columns,
    PageDown: 5 * columns,
  };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in steps)) return -1;
  const next = position + steps[key];
  if (next >= 0 && next < count) return next;
  // Up from the first row and down from the last stay; a page goes as far as it can.
  if (key.startsWith("Page")) return next < 0 ? 0 : count - 1;
  return position;
}
