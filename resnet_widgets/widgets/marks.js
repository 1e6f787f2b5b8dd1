// Marks over the colours: what a colour alone would not tell.

/** @typedef {import("./colors.js").Mark} MarkName */

/** Black or white, whichever stands out on a pixel. */
export function inkOn(/** @type {number} */ pixel) {
  const [red, green, blue] = [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  return 0.3 * red + 0.59 * green + 0.11 * blue > 128 ? "#000" : "#fff";
}

/**
 * Marks the cells of one plane in a rectangle.
 * @param {CanvasRenderingContext2D} context
 * @param {{ x: number, y: number, width: number, height: number }} rect
 * @param {Uint8Array} plane
 * @param {number} columns of the plane
 * @param {(MarkName | "")[]} markOf by byte
 * @param {Uint32Array} colors by byte
 */
export function drawMarks(context, rect, plane, columns, markOf, colors) {
  const width = rect.width / columns;
  const height = rect.height / (plane.length / columns);
  plane.forEach((code, i) => {
    const mark = markOf[code];
    if (!mark) return;
    const x = rect.x + (i % columns) * width;
    const y = rect.y + Math.floor(i / columns) * height;
    context.fillStyle = context.strokeStyle = inkOn(colors[code]);
    drawMark(context, mark, x, y, width, height);
  });
}

/** Corner triangles where the range cuts a value off; signs where there is no number. */
function drawMark(
  /** @type {CanvasRenderingContext2D} */ context,
  /** @type {MarkName} */ mark,
  /** @type {number} */ x,
  /** @type {number} */ y,
  /** @type {number} */ width,
  /** @type {number} */ height,
) {
  const size = Math.min(width, height);
  context.lineWidth = Math.max(1, size / 12);
  context.beginPath();
  if (mark === "above" || mark === "below") {
    drawCorner(context, mark, x, y, width, height, Math.max(1.5, 0.3 * size));
    return;
  }
  const [centerX, centerY, reach] = [x + width / 2, y + height / 2, 0.28 * size];
  const line = (/** @type {number} */ dx, /** @type {number} */ dy) => {
    context.moveTo(centerX - dx, centerY - dy);
    context.lineTo(centerX + dx, centerY + dy);
  };
  if (mark === "nan") {
    line(reach, reach);
    line(reach, -reach);
  } else {
    line(reach, 0);
    if (mark === "plus") line(0, reach);
  }
  context.stroke();
}

/** Above the range: the upper right corner; below it: the lower left one. */
function drawCorner(
  /** @type {CanvasRenderingContext2D} */ context,
  /** @type {"above" | "below"} */ mark,
  /** @type {number} */ x,
  /** @type {number} */ y,
  /** @type {number} */ width,
  /** @type {number} */ height,
  /** @type {number} */ side,
) {
  const [cornerX, cornerY] = mark === "above" ? [x + width, y] : [x, y + height];
  const inward = mark === "above" ? side : -side;
  context.moveTo(cornerX, cornerY);
  context.lineTo(cornerX - inward, cornerY);
  context.lineTo(cornerX, cornerY + inward);
  context.fill();
}

/**
 * Marks a tile whose cells are too small to be marked each.
 * @param {CanvasRenderingContext2D} context
 * @param {{ x: number, y: number, width: number, height: number }} rect
 * @param {{ above: boolean, below: boolean, sign: string }} what
 * @param {number} unit pixels of the canvas a pixel of the page
 */
export function drawTileMarks(context, rect, { above, below, sign }, unit) {
  const { x, y, width, height } = rect;
  for (const mark of /** @type {const} */ (["above", "below"])) {
    if (!(mark === "above" ? above : below)) continue;
    context.beginPath();
    context.fillStyle = "#000";
    drawCorner(context, mark, x, y, width, height, 8 * unit);
    context.beginPath();
    context.fillStyle = "#fff";
    drawCorner(context, mark, x, y, width, height, 6 * unit);
  }
  if (!sign) return;
  const side = Math.min(11 * unit, width, height);
  context.fillStyle = "#000";
  context.fillRect(x, y, side, side);
  context.fillStyle = "#fff";
  context.font = `700 ${0.9 * side}px monospace`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(sign, x + side / 2, y + side / 2 + 0.5 * unit);
}
