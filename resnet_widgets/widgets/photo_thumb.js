// A photo in little: what the model sees of it.

import { element, onChange } from "./shared.js";

const SIDE = 36;

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
    const key = model.get(photo);
    if (message.kind !== "picture" || message.photo !== key || !model.get(picture).box) return;
    const bitmap = await createImageBitmap(new Blob([/** @type {any} */ (buffers[0])]));
    const { size, box } = model.get(picture);
    if (!signal.aborted && key === model.get(photo) && box)
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
  onChange(model, [photo, picture], ask, signal);
  ask();
  return canvas;
}
