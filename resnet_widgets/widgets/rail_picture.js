// The lines beside one row of the tree, drawn.

import { svgElement } from "./shared.js";

/** Pixels from lane to lane, and from the first lane to the right edge. */
const STEP = 11;
const EDGE = 8;

/**
 * @param {import("./rails.js").Rail | null} rail  null where nothing is known of the ways
 * @param {number} height  of the row in pixels
 */
export function railPicture(rail, height) {
  const width = EDGE + STEP * Math.max(1, (rail?.lanes ?? 1) - 1) + EDGE;
  const picture = svgElement("svg", {
    class: "rw-tree-rail",
    width,
    height,
    "aria-hidden": "true",
  });
  if (!rail) return picture;
  const x = (/** @type {number} */ lane) => width - EDGE - STEP * lane;
  const middle = height / 2;
  const [own, radius] = [x(rail.lane), rail.sign === "dot" ? 3 : 5.5];
  /** @type {string[]} */
  const lines = rail.through.map((lane) => `M${x(lane)} 0V${height}`);
  for (const [from, to] of rail.moves) {
    lines.push(`M${x(from)} 0Q${x(to)} 0 ${x(to)} ${middle}V${height}`);
  }
  for (const lane of rail.into) {
    if (lane === rail.lane) lines.push(`M${own} 0V${middle - radius}`);
    else lines.push(`M${x(lane)} 0Q${x(lane)} ${middle} ${own - radius} ${middle}`);
  }
  if (rail.out) lines.push(`M${own} ${middle + radius}V${height}`);
  const node = { cx: own, cy: middle, r: radius, class: `rw-tree-node rw-tree-node-${rail.sign}` };
  picture.append(svgElement("path", { d: lines.join("") }), svgElement("circle", node));
  const [a, b] = [radius - 2.5, (radius - 2.5) * Math.SQRT1_2];
  const signs = {
    add: `M${own - a} ${middle}h${2 * a}M${own} ${middle - a}v${2 * a}`,
    multiply: `M${own - b} ${middle - b}l${2 * b} ${2 * b}m0 ${-2 * b}l${-2 * b} ${2 * b}`,
    merge: "",
    dot: "",
  };
  if (signs[rail.sign]) picture.append(svgElement("path", { d: signs[rail.sign] }));
  return picture;
}
