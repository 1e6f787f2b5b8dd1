// A photo in little: what the model sees of it. And when its picture has to be asked for.

import { element, onChange } from "./shared.js";

const SIDE = 36;

/** A photo without the edits of what was computed for it: its picture is the same. */
export const withoutEdits = (/** @type {string} */ photo) => photo.split(" ")[0];

/**
 * Calls `heard` at first and for each new picture, once where photo and picture change together. A
 * photo and its own crop have one key, because the model sees the same, but two pictures.
 * @param {any} model
 * @param {{ photo: string, picture: string }} traits with the key of the photo, and what is said of it
 * @param {() => void} heard
 * @param {AbortSignal} signal
 */
export function onNewPicture(model, { photo, picture }, heard, signal) {
  const pictureNow = () => JSON.stringify([withoutEdits(model.get(photo)), model.get(picture)]);
  let last = pictureNow();
  const look = () => {
    if (signal.aborted || pictureNow() === last) return;
    last = pictureNow();
    heard();
  };
  onChange(model, [photo, picture], () => queueMicrotask(look), signal);
  heard();
}

/**
 * @param {object} options
 * @param {any} options.model the explorer's
 * @param {string} options.photo trait with the key of the photo
 * @param {string} options.picture trait with its name, size and crop
 * @param {boolean} options.asks whether it asks the kernel; else somebody else does
 * @param {AbortSignal} options.signal
 */
export function photoThumb({ model, photo, picture, asks, signal }) {
  const canvas = element("canvas", {
    class: "rw-thumb-photo",
    hidden: true,
    "aria-hidden": "true",
  });

  async function receive(/** @type {any} */ message, /** @type {DataView[]} */ buffers) {
    const key = withoutEdits(model.get(photo));
    if (message.kind !== "picture" || withoutEdits(message.photo) !== key) return;
    if (!model.get(picture).box) return;
    const bitmap = await createImageBitmap(new Blob([/** @type {any} */ (buffers[0])]));
    const { size, box } = model.get(picture);
    if (!signal.aborted && key === withoutEdits(model.get(photo)) && box)
      draw(bitmap, bitmap.width / size[1], box);
    bitmap.close();
  }

  /** The crop, at the size of the screen's pixels. */
  function draw(
    /** @type {ImageBitmap} */ bitmap,
    /** @type {number} */ ratio,
    /** @type {number[]} */ box,
  ) {
    const [left, top, right, bottom] = box.map((edge) => edge * ratio);
    canvas.height = Math.round(SIDE * devicePixelRatio);
    canvas.width = Math.round((canvas.height * (right - left)) / (bottom - top));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.imageSmoothingQuality = "high";
    const [width, height] = [canvas.width, canvas.height];
    context.drawImage(bitmap, left, top, right - left, bottom - top, 0, 0, width, height);
    canvas.hidden = false;
  }

  function ask() {
    canvas.hidden = true;
    if (asks && model.get(photo)) model.send({ kind: "picture", photo: model.get(photo) });
  }
  model.on("msg:custom", receive);
  signal.addEventListener("abort", () => model.off("msg:custom", receive));
  onNewPicture(model, { photo, picture }, ask, signal);
  return canvas;
}
