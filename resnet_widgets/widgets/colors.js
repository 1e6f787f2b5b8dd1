// From bytes to colours, as pure functions: tables, marks, pixels.

import { TOP_CODE } from "./ranges.js";

/**
 * Equally spaced colours; every table made from them is within 3/255 of matplotlib's of that name.
 * @type {Record<string, string>}
 */
const STOPS = {
  viridis:
    "440154 471163 481f71 472d7b 443a83 404688 3b528b 355d8d 31688e 2c728e 287c8e 24868e " +
    "21908c 1f9a8a 20a486 28ae80 35b779 47c06f 5dc963 75d054 8fd744 abdc32 c7e020 e3e418 " +
    "fde725",
  magma:
    "000004 08061d 160f3a 29115b 400f73 56147d 6b1c81 802582 952c80 ab337c c13a76 d6446d " +
    "e85362 f4685c fa815f fd9a6a feb37b fecc8f fde4a6 fcfdbf",
  inferno:
    "000004 060419 120a32 230c4d 370961 490b6a 5b126e 6d186e 7e1e6c 902568 a22b62 b3325a " +
    "c33b4f d24644 df5337 ea632a f2751c f8880d fb9c07 fcb115 f9c72e f4dd4e f1f179 fcffa4",
  cividis:
    "00224e 002655 00295d 002c65 002f6d 003271 0e3570 19386f 213b6e 283e6e 2e416d 33446c " +
    "38476c 3d4a6c 424e6c 46516c 4b546c 4f576c 535a6d 575d6d 5b606e 5f636f 636670 676a71 " +
    "6b6d72 6f7073 737374 767676 7a7a78 7e7d78 828079 878479 8b8778 8f8a78 948e78 989177 " +
    "9c9576 a19875 a59c74 aa9f73 aea371 b3a670 b8aa6e bcae6c c1b26a c6b567 cab965 cfbd62 " +
    "d4c15f d9c55c dec958 e3cd54 e8d14f edd54a f2da44 f7de3d fce235 fee838",
  gray: "000000 ffffff",
  coolwarm:
    "3b4cc0 465dce 516ddb 5d7ce6 698bef 7699f6 83a6fb 90b2fe 9dbdff aac7fd b7cffa c3d5f4 " +
    "ced9ec d8dce2 e2dad6 ead4c8 f1ccba f5c3ab f7b89c f7ab8d f59d7f f18e70 eb7e62 e36c55 " +
    "da5948 cf443c c22c31 b40426",
};

export const COLORMAPS = Object.keys(STOPS);

/** On no colormap, so that a cell without a number cannot be taken for one with. */
export const NO_NUMBER = "00e5ff";

/** Red, green, blue of a colour such as `1f9a8a`. */
function channelsOf(/** @type {string} */ hex) {
  return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

/** One opaque pixel as ImageData holds it, seen as a little-endian 32-bit number. */
function pixel(/** @type {number[]} */ [red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

const NO_NUMBER_PIXEL = pixel(channelsOf(NO_NUMBER));

/**
 * `auto` is viridis, and around zero a map whose middle is neutral.
 * @param {string} colormap
 * @param {boolean} symmetric
 */
export function colormapName(colormap, symmetric) {
  if (colormap in STOPS) return colormap;
  return symmetric ? "coolwarm" : "viridis";
}

/**
 * 256 pixels, from the low end of the range to the high end.
 * @param {string} name
 */
export function colormapTable(name) {
  const stops = STOPS[name].split(" ").map(channelsOf);
  return Uint32Array.from({ length: 256 }, (_, index) => {
    const at = (index / 255) * (stops.length - 1);
    const left = Math.min(Math.floor(at), stops.length - 2);
    const mix = (/** @type {number} */ c) =>
      Math.round(stops[left][c] + (at - left) * (stops[left + 1][c] - stops[left][c]));
    return pixel([mix(0), mix(1), mix(2)]);
  });
}

/**
 * The colormap as a CSS image, left to right.
 * @param {string} name
 */
export function colormapGradient(name) {
  const stops = STOPS[name].split(" ").map((stop) => `#${stop}`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/**
 * The pixel of each byte of one channel. Where the range is its own they are those of any other
 * channel, also of a constant one, which has no byte but 0.
 * @param {Uint32Array} table from `colormapTable`
 * @param {number} low of the channel
 * @param {number} high of the channel
 * @param {[number, number]} range from `colorRange`
 * @param {Uint32Array} [into] 256 pixels to reuse
 */
export function channelColors(table, low, high, range, into = new Uint32Array(256)) {
  const span = range[1] - range[0];
  const start = span > 0 ? ((low - range[0]) / span) * 255 + 0.5 : 0;
  const step = span > 0 ? (((high - low) / span) * 255) / TOP_CODE : 0;
  for (let code = 0; code <= TOP_CODE; code++) {
    const index = start + code * step;
    into[code] = table[index < 0 ? 0 : index >= 256 ? 255 : index | 0];
  }
  into.fill(NO_NUMBER_PIXEL, TOP_CODE + 1);
  return into;
}

/**
 * @typedef {"below" | "above" | "minus" | "plus" | "nan"} Mark
 * @type {Record<Mark, string>}
 */
export const MARK_NAMES = {
  below: "below the range",
  above: "above the range",
  minus: "−∞",
  plus: "+∞",
  nan: "NaN",
};

/**
 * The bytes of a channel that lie inside a range: the first and the last.
 * @param {number} low of the channel
 * @param {number} high of the channel
 * @param {[number, number]} range
 * @returns {[first: number, last: number]}
 */
export function insideCodes(low, high, range) {
  // Of the range's own width, so that a range rounded to float32 clips nothing.
  const slack = 1e-6 * (range[1] - range[0]);
  const valueAt = (/** @type {number} */ code) => low + (code / TOP_CODE) * (high - low);
  let [first, last] = [0, TOP_CODE];
  while (first <= TOP_CODE && valueAt(first) < range[0] - slack) first++;
  while (last >= 0 && valueAt(last) > range[1] + slack) last--;
  return [first, last];
}

/**
 * Which bytes of a channel need a mark, because their colour does not tell their value.
 * @param {number} low of the channel
 * @param {number} high of the channel
 * @param {[number, number]} range
 * @returns {(Mark | "")[]}
 */
export function channelMarks(low, high, range) {
  const [first, last] = insideCodes(low, high, range);
  return Array.from({ length: 256 }, (_, code) => {
    if (code > TOP_CODE) return /** @type {Mark[]} */ (["minus", "plus", "nan"])[code - 253];
    if (code < first) return "below";
    return code > last ? "above" : "";
  });
}

/**
 * How many cells have each mark.
 * @param {Uint8Array} plane
 * @param {(Mark | "")[]} marks from `channelMarks`
 */
export function countMarks(plane, marks) {
  /** @type {Record<Mark, number>} */
  const counts = { below: 0, above: 0, minus: 0, plus: 0, nan: 0 };
  for (const code of plane) {
    const mark = marks[code];
    if (mark) counts[mark]++;
  }
  return counts;
}

/**
 * Which source cells each of `size` pixels covers: `[start, end)`, at least one cell.
 * @param {number} cells
 * @param {number} size
 */
export function cellSpans(cells, size) {
  const start = Int32Array.from({ length: size }, (_, i) => Math.floor((i * cells) / size));
  const end = Int32Array.from({ length: size }, (_, i) =>
    Math.max(start[i] + 1, Math.floor(((i + 1) * cells) / size)),
  );
  return { start, end };
}

/**
 * Paints one plane into a rectangle of a larger picture. Where a pixel covers several cells it shows
 * the mean of their values, not of their colours, and a cell without a number wins.
 * @param {Uint32Array | Uint8Array} out pixels of the picture
 * @param {number} stride its width
 * @param {number} x left edge of the rectangle
 * @param {number} y top edge
 * @param {{ start: Int32Array, end: Int32Array }} columns from `cellSpans`
 * @param {{ start: Int32Array, end: Int32Array }} rows from `cellSpans`
 * @param {Uint8Array} plane
 * @param {number} width of the plane
 * @param {Uint32Array | Uint8Array} colors from `channelColors`
 */
export function paintTile(out, stride, x, y, columns, rows, plane, width, colors) {
  const across = columns.start.length;
  for (let j = 0; j < rows.start.length; j++) {
    const at = (y + j) * stride + x;
    const top = rows.start[j];
    const bottom = rows.end[j];
    if (j > 0 && top === rows.start[j - 1] && bottom === rows.end[j - 1]) {
      out.copyWithin(at, at - stride, at - stride + across);
      continue;
    }
    for (let i = 0; i < across; i++) {
      const left = columns.start[i];
      const right = columns.end[i];
      const alone = right - left === 1 && bottom - top === 1;
      const code = alone
        ? plane[top * width + left]
        : meanCode(plane, width, left, right, top, bottom);
      out[at + i] = colors[code];
    }
  }
}

/** The code of the mean value of some cells, or that of the first one without a number. */
function meanCode(
  /** @type {Uint8Array} */ plane,
  /** @type {number} */ width,
  /** @type {number} */ left,
  /** @type {number} */ right,
  /** @type {number} */ top,
  /** @type {number} */ bottom,
) {
  let sum = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const code = plane[row * width + column];
      if (code > TOP_CODE) return code;
      sum += code;
    }
  }
  return Math.round(sum / ((right - left) * (bottom - top)));
}
