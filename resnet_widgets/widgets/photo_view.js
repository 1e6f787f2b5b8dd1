// The photo as the model gets it, or the whole of it with the crop marked, and on it what the cell
// under the cursor sees.

import { cursorCells } from "./cursor.js";
import { element } from "./shared.js";

/**
 * @typedef {{ size: [number, number], stride: [number, number], start: [number, number] }} Field
 *   as in `receptive_field.py`: rows first, in pixels of the model's input
 * @typedef {{ name: string, size: [number, number], box: [number, number, number, number],
 *   notes: string[] }} Picture as `Explorer.picture`
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
 * Where the crop lies in the view, in 0…1 of it: all of it, or a part if the whole photo shows.
 * @param {Picture} picture
 * @param {boolean} whole
 * @param {number} aspect width by height of the view
 */
export function cropInView({ size: [height, width], box }, whole, aspect) {
  if (!whole) return { x: 0, y: 0, width: 1, height: 1 };
  const scale = Math.min(aspect / width, 1 / height);
  const [marginX, marginY] = [(aspect - width * scale) / 2, (1 - height * scale) / 2];
  return {
    x: (marginX + box[0] * scale) / aspect,
    y: marginY + box[1] * scale,
    width: ((box[2] - box[0]) * scale) / aspect,
    height: (box[3] - box[1]) * scale,
  };
}

/**
 * @param {AbortSignal} signal
 * @param {(at: [x: number, y: number] | null) => void} onPoint told where in the crop (0…1) the
 *   pointer is; null when it leaves
 */
export function photoView(signal, onPoint) {
  const canvas = element("canvas", { role: "img" });
  const field = element("div", { class: "rw-field", hidden: true });
  const cell = element("div", { class: "rw-cursor", hidden: true });
  const crop = element("div", { class: "rw-crop" }, field, cell);
  const node = element("div", { class: "rw-photo" }, canvas, crop);

  /** @type {ImageBitmap | null} */
  let bitmap = null;
  /** @type {Picture | null} */
  let picture = null;
  let aspect = 1;
  let whole = false;

  function draw() {
    node.style.aspectRatio = String(aspect);
    if (!bitmap || !picture) return;
    const inView = cropInView(picture, whole, aspect);
    place(crop, inView);
    crop.toggleAttribute("data-whole", whole);
    const ratio = bitmap.width / picture.size[1];
    const side = Math.round(Math.max(node.clientWidth, 1) * devicePixelRatio);
    canvas.width = side;
    canvas.height = Math.round(side / aspect);
    const [left, top, right, bottom] = picture.box.map((edge) => edge * ratio);
    // The crop's place in the view fixes where the whole picture goes.
    const [x, y] = [inView.x * canvas.width, inView.y * canvas.height];
    const [width, height] = [inView.width * canvas.width, inView.height * canvas.height];
    const [scaleX, scaleY] = [width / (right - left), height / (bottom - top)];
    /** @type {[number, number, number, number]} */
    const all = [
      x - left * scaleX,
      y - top * scaleY,
      bitmap.width * scaleX,
      bitmap.height * scaleY,
    ];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, ...all);
    // What the model does not get to see is dimmed.
    context.beginPath();
    context.rect(...all);
    context.rect(x, y, width, height);
    context.fillStyle = "rgb(0 0 0 / 50%)";
    context.fill("evenodd");
  }

  function point(/** @type {PointerEvent} */ event) {
    const box = crop.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    onPoint(x >= 0 && x < 1 && y >= 0 && y < 1 ? [x, y] : null);
  }

  node.addEventListener("pointermove", point, { signal });
  node.addEventListener("pointerdown", point, { signal });
  node.addEventListener("pointerleave", () => onPoint(null), { signal });
  const resized = new ResizeObserver(draw);
  resized.observe(node);
  signal.addEventListener("abort", () => {
    resized.disconnect();
    bitmap?.close();
  });

  return {
    node,

    /**
     * @param {ImageBitmap} next
     * @param {Picture} of
     */
    show(next, of) {
      bitmap?.close();
      bitmap = next;
      picture = of;
      canvas.setAttribute("aria-label", `Photo ${of.name}`);
      draw();
    },

    /** @param {number} next width by height */
    setAspect(next) {
      aspect = next;
      draw();
    },

    /** @param {boolean} next whether to show the whole photo with the crop marked */
    setWhole(next) {
      whole = next;
      draw();
    },

    /**
     * Marks the cursor, and the pixels it sees.
     * @param {number[]} cursor in 0…1 of the crop, or []
     * @param {number[] | null} seen `[left, top, right, bottom]` in 0…1 of the crop
     */
    mark(cursor, seen) {
      cell.hidden = cursor.length !== 4;
      if (!cell.hidden) placeEdges(cell, cursor);
      field.hidden = !seen;
      if (seen) {
        placeEdges(
          field,
          seen.map((edge) => Math.min(1, Math.max(0, edge))),
        );
      }
    },
  };
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

/** @param {HTMLElement} node @param {{x: number, y: number, width: number, height: number}} box */
function place(node, { x, y, width, height }) {
  placeEdges(node, [x, y, x + width, y + height]);
}

/** @param {HTMLElement} node @param {number[]} edges left, top, right, bottom in 0…1 */
function placeEdges(node, [left, top, right, bottom]) {
  node.style.left = `${100 * left}%`;
  node.style.top = `${100 * top}%`;
  node.style.width = `${100 * (right - left)}%`;
  node.style.height = `${100 * (bottom - top)}%`;
}
