// From cells to the pixels they see, and from a pixel to the cells that see it.

import { cursorCells } from "./cursor.js";

/**
 * @typedef {{ size: [number, number], stride: [number, number], start: [number, number] }} Field
 *   as in `receptive_field.py`: rows first, in pixels of the model's input
 */

/**
 * The pixels that a block of cells sees, `[left, top, right, bottom]`, not clipped to the picture.
 * @param {Field} field
 * @param {number[]} block `[left, top, right, bottom]` in cells
 */
export function seenBy(field, [left, top, right, bottom]) {
  const [rows, columns] = [0, 1].map((axis) => {
    const [first, last] = axis ? [left, right] : [top, bottom];
    const start = field.start[axis] + first * field.stride[axis];
    return [start, field.start[axis] + (last - 1) * field.stride[axis] + field.size[axis]];
  });
  return [columns[0], rows[0], columns[1], rows[1]];
}

/**
 * The cells that see a pixel, `[left, top, right, bottom]`; `[]` where none does, as behind a stride
 * that is larger than the kernel.
 * @param {Field} field
 * @param {number[]} pixel `[x, y]` of the model's input
 * @param {number[]} shape height and width of the layer
 */
export function seeing(field, [x, y], [height, width]) {
  const [rows, columns] = [0, 1].map((axis) => {
    const count = axis ? width : height;
    const stride = field.stride[axis];
    if (stride === 0) return [0, count];
    const reach = (axis ? x : y) - field.start[axis];
    const first = Math.max(0, Math.ceil((reach - field.size[axis] + 1) / stride));
    return [first, Math.min(count, Math.floor(reach / stride) + 1)];
  });
  if (rows[0] >= rows[1] || columns[0] >= columns[1]) return [];
  return [columns[0], rows[0], columns[1], rows[1]];
}

/**
 * What a cursor sees through a layer.
 * @param {number[]} cursor in 0…1, or []
 * @param {{ shape: number[], field: Field | null } | undefined} layer
 * @param {[number, number]} size height and width of the model's input
 * @returns {{ block: number[], pixels: number[] | null } | null} `block` in cells of the layer
 */
export function look(cursor, layer, size) {
  if (cursor.length !== 4 || !layer || layer.shape.length !== 3) return null;
  const [height, width] = layer.shape;
  if (height < 1 || width < 1) return null;
  const block = cursorCells(cursor, width, height);
  if (!layer.field) return { block, pixels: null };
  const whole = layer.field.stride[0] === 0;
  return { block, pixels: whole ? [0, 0, size[1], size[0]] : seenBy(layer.field, block) };
}

/**
 * The cells of a layer that look at a pixel, in 0…1 of the picture; `[]` if that is not known, or
 * if all of them do.
 * @param {number[]} pixel `[x, y]`, or []
 * @param {{ shape: number[], field: Field | null } | undefined} layer
 */
export function lookers(pixel, layer) {
  if (pixel.length !== 2 || !layer?.field || layer.shape.length !== 3) return [];
  const [height, width] = layer.shape;
  const block = seeing(layer.field, pixel, [height, width]);
  const all = block[0] === 0 && block[1] === 0 && block[2] === width && block[3] === height;
  return all ? [] : block.map((edge, i) => edge / (i % 2 ? height : width));
}

/**
 * How much a cell sees, in words: `sees 99 × 99 px`; at the edge of the photo `sees 75 × 99 of 99²`.
 * @param {number[]} pixels `[left, top, right, bottom]`, not clipped
 * @param {[number, number]} size height and width of the model's input
 */
export function fieldSize([left, top, right, bottom], [height, width]) {
  const across = Math.min(width, right) - Math.max(0, left);
  const down = Math.min(height, bottom) - Math.max(0, top);
  const [whole, inside] = [`${right - left} × ${bottom - top}`, `${across} × ${down}`];
  if (whole === inside) return `sees ${whole} px`;
  return `sees ${inside} of ${right - left === bottom - top ? `${right - left}²` : whole}`;
}
