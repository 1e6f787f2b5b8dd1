// The photo as the model gets it, or the whole of it with the crop marked; on it what the cell under
// the cursor sees, the region, and as much of the map as is wanted.

import { cursorCells, placeBox, STEPS } from "./cursor.js";
import { pointing } from "./pointing.js";
import { regionBox } from "./region_box.js";
import { setTraits } from "./saving.js";
import { change, element, onChange, setTrait } from "./shared.js";

/**
 * @typedef {{ name: string, size: [number, number], box: [number, number, number, number],
 *   notes: string[] }} Picture as `Explorer.picture`
 */

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
 * @param {object} options
 * @param {any} options.model with the traits `cursor`, `pixel`, `region` and `overlay`
 * @param {AbortSignal} options.signal
 * @param {() => [number, number]} options.size width and height of the model's input
 * @param {() => [number, number] | null} options.cells width and height of the map, null if none
 */
export function photoView({ model, signal, size, cells }) {
  const canvas = element("canvas", { class: "rw-photo-pixels" });
  const overlay = element("canvas", { class: "rw-overlay", hidden: true });
  const field = element("div", { class: "rw-field", hidden: true });
  const cell = element("div", { class: "rw-cursor", hidden: true });
  const crop = element("div", { class: "rw-crop" }, overlay, field, cell);
  const node = element(
    "div",
    {
      class: "rw-photo",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "photo",
      "aria-label": "Photo",
    },
    canvas,
    crop,
  );
  const strength = element("input", { type: "range", min: 0, max: 100, step: 1 });
  const share = element("output");
  const control = element(
    "label",
    { class: "rw-overlay-control", title: "How much of the map lies over the photo" },
    element("span", { text: "Overlay" }),
    strength,
    share,
  );

  /** @type {ImageBitmap | null} */
  let bitmap = null;
  /** @type {Picture | null} */
  let picture = null;
  let aspect = 1;
  let whole = false;
  /** What a view of the map has painted. @type {ImageData | null} */
  let map = null;

  function draw() {
    node.style.aspectRatio = String(aspect);
    if (!bitmap || !picture) return;
    const inView = cropInView(picture, whole, aspect);
    const { x: atX, y: atY } = inView;
    placeBox(crop, [atX, atY, atX + inView.width, atY + inView.height]);
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

  function point(/** @type {MouseEvent} */ event) {
    const box = crop.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (at.every((part) => part >= 0 && part < 1)) pointAt(at);
    else leave();
  }

  /** Puts the cursor on the cell of the map that lies at a place, given in 0…1 of the crop. */
  function pointAt(/** @type {number[]} */ at) {
    const pixel = size().map((length, axis) => Math.floor(at[axis] * length));
    const [x, y] = (cells() ?? [0, 0]).map((count, axis) => Math.floor(at[axis] * count));
    setTraits(model, { pixel, cursor: cellBox(x, y) });
  }

  /** One cell of the map in 0…1, or [] where there is none. */
  function cellBox(/** @type {number} */ x, /** @type {number} */ y) {
    const grid = cells();
    return grid ? [x / grid[0], y / grid[1], (x + 1) / grid[0], (y + 1) / grid[1]] : [];
  }

  const leave = () => setTraits(model, { pixel: [], cursor: [] });

  function walk(/** @type {KeyboardEvent} */ event) {
    const [step, grid] = [STEPS[event.key], cells()];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") {
      // With nothing pointed at it is for whoever is around.
      if (!model.get("cursor").length && !model.get("pixel").length) return;
      leave();
    } else if (!step || !grid) return;
    else {
      const cursor = model.get("cursor");
      const block = cursor.length ? cursorCells(cursor, ...grid) : [0, 0, ...grid];
      const at = [0, 1].map((axis) => {
        const middle = (block[axis] + block[axis + 2] - 1) >> 1;
        const next = cursor.length ? middle + step[axis] : middle;
        return (Math.max(0, Math.min(grid[axis] - 1, next)) + 0.5) / grid[axis];
      });
      pointAt(at);
    }
    event.preventDefault();
  }

  function showOverlay() {
    const value = model.get("overlay");
    strength.value = String(Math.round(100 * value));
    overlay.style.opacity = String(value);
    change(share, { text: `${strength.value} %` });
    change(overlay, { hidden: !map || value === 0 });
    change(strength, { disabled: !map });
    if (!map || overlay.hidden) return;
    if (overlay.width !== map.width || overlay.height !== map.height) {
      overlay.width = map.width;
      overlay.height = map.height;
    }
    // To draw the canvas of the map would lay out the page first.
    overlay.getContext("2d")?.putImageData(map, 0, 0);
  }

  regionBox({ node, area: crop, model, cells: size, steps: cells, signal });
  pointing(node, { point, leave }, signal);
  node.addEventListener("keydown", walk, { signal });
  strength.addEventListener(
    "input",
    () => setTrait(model, "overlay", Number(strength.value) / 100),
    { signal },
  );
  onChange(model, ["overlay"], showOverlay, signal);
  showOverlay();
  const resized = new ResizeObserver(draw);
  resized.observe(node);
  signal.addEventListener("abort", () => {
    resized.disconnect();
    bitmap?.close();
  });

  return {
    node,
    control,

    /**
     * @param {ImageBitmap} next
     * @param {Picture} of
     */
    show(next, of) {
      bitmap?.close();
      bitmap = next;
      picture = of;
      node.setAttribute("aria-label", `Photo ${of.name}`);
      draw();
    },

    /** @param {number} next width by height */
    setAspect(next) {
      if (next === aspect) return;
      aspect = next;
      draw();
    },

    /** @param {boolean} next whether to show the whole photo with the crop marked */
    setWhole(next) {
      whole = next;
      draw();
    },

    /** @param {ImageData | null} next what a view of the map has painted, whenever it has */
    setOverlay(next) {
      map = next;
      showOverlay();
    },

    /**
     * Marks the cursor, and the pixels it sees.
     * @param {number[]} cursor in 0…1 of the crop, or []
     * @param {number[]} seen `[left, top, right, bottom]` in 0…1 of the crop, or []
     */
    mark(cursor, seen) {
      placeBox(cell, cursor);
      placeBox(
        field,
        seen.map((edge) => Math.min(1, Math.max(0, edge))),
      );
    },
  };
}
