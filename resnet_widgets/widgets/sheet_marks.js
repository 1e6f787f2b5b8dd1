// The marks on one tile of the contact sheet.

import { channelMarks, insideCodes } from "./colors.js";
import { drawMarks, drawTileMarks } from "./marks.js";
import { KINDS } from "./orders.js";
import { TOP_CODE } from "./ranges.js";

/** Pixels of the page that a cell needs for a mark of its own. */
const MARKED_CELL = 8;

/**
 * Marks the cells beyond the range and those without a number, or the tile where cells are too
 * small for that, and what is the matter with the channel.
 * @param {CanvasRenderingContext2D} context
 * @param {{ x: number, y: number, width: number, height: number }} rect
 * @param {{ frame: import("./frame.js").Frame, channel: number, range: [number, number],
 *   colors: Uint32Array, kind: import("./orders.js").Kind | "" }} shown
 * @param {number} unit pixels of the canvas in one of the page
 */
export function markTile(context, rect, { frame, channel, range, colors, kind }, unit) {
  const [low, high] = [frame.low[channel], frame.high[channel]];
  const [first, last] = insideCodes(low, high, range);
  const clips = first > 0 || last < TOP_CODE;
  if (!clips && !kind) return;
  const plane = frame.plane(channel);
  if (rect.width / frame.columns >= MARKED_CELL * unit) {
    drawMarks(context, rect, plane, frame.columns, channelMarks(low, high, range), colors);
    if (kind !== "odd") drawTileMarks(context, rect, { ...NONE, sign: signOf(kind) }, unit);
    return;
  }
  const found = clips ? clippedSides(plane, first, last) : NONE;
  drawTileMarks(context, rect, { ...found, sign: signOf(kind) }, unit);
}

const NONE = { above: false, below: false };

function signOf(/** @type {import("./orders.js").Kind | ""} */ kind) {
  return kind ? KINDS[kind].sign : "";
}

/** Whether a plane has cells below, and above, the bytes of a range. */
function clippedSides(
  /** @type {Uint8Array} */ plane,
  /** @type {number} */ first,
  /** @type {number} */ last,
) {
  const found = { above: false, below: false };
  for (const code of plane) {
    if (code < first) found.below = true;
    else if (code > last && code <= TOP_CODE) found.above = true;
    if (found.above && found.below) break;
  }
  return found;
}
