// What is shown of the place pointed at: its receptive field, its number, the cells that see it.

import { readingOf } from "./cursor.js";
import { fieldSize, look, lookers } from "./receptive_field.js";
import { change, onChange, setTrait } from "./shared.js";

/**
 * @param {{ model: any, signal: AbortSignal, models: Record<string, any>, store: any,
 *   layout: ReturnType<import("./explorer_layout.js").explorerLayout>,
 *   rowOf: (path: string) => import("./explorer_layout.js").Row | undefined,
 *   inputSize: () => [number, number] }} context
 * @returns {() => void} shows it again, for new numbers
 */
export function explorerPointing({ model, signal, models, store, layout, rowOf, inputSize }) {
  function mark() {
    const size = model.get("about").size ?? [1, 1];
    const layer = rowOf(model.get("layer"));
    const cursor = model.get("cursor");
    const seen = look(cursor, layer, size);
    const pixels = seen?.pixels ?? [];
    layout.photo.mark(
      cursor,
      pixels.map((edge, i) => edge / size[(i + 1) % 2]),
    );
    const sees = pixels.length ? fieldSize(pixels, size) : "";
    const rest = sees.includes(" of ") ? " px; the rest lies outside of the photo" : "";
    change(layout.sees, { text: sees, title: sees + rest });
    layout.footer.show(seen, reading(seen?.block), size);
  }

  /** Outlines, in every open map, the cells that see the pixel pointed at. */
  function outline() {
    const pixel = model.get("pixel");
    for (const map of [models.map, models.grid]) {
      map.set("outline", lookers(pixel, rowOf(model.get("layer"))));
    }
    const layers = /** @type {string[]} */ (models.stages.get("layers"));
    models.stages.set(
      "outlines",
      layers.map((layer) => lookers(pixel, rowOf(layer))),
    );
  }

  /** A pixel is pointed at only as long as the cursor is where it is. */
  function dropPixel() {
    const [pixel, cursor] = [model.get("pixel"), model.get("cursor")];
    const size = inputSize();
    const holds = (/** @type {number} */ at, /** @type {number} */ axis) =>
      (at + 0.5) / size[axis] > cursor[axis] && (at + 0.5) / size[axis] < cursor[axis + 2];
    if (!pixel.every(holds)) setTrait(model, "pixel", []);
  }

  const exact = store.cells(mark, signal);
  /** @param {number[]} [block] */
  function reading(block) {
    const frame = store.peek(model.get("photo"), model.get("layer"));
    if (!block || !frame || frame.isVector) return "";
    const vector = exact(model.get("photo"), model.get("layer"), block);
    return readingOf(frame, Math.min(model.get("channel"), frame.channels - 1), block, vector);
  }

  onChange(model, ["cursor"], dropPixel, signal);
  onChange(model, ["pixel", "layer"], outline, signal);
  onChange(models.stages, ["layers"], outline, signal);
  onChange(model, ["cursor", "layer", "channel", "about"], mark, signal);
  mark();
  outline();
  return mark;
}
