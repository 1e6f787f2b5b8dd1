// The explorer binds its children, in the page: the kernel hears of a change from the explorer and
// from the child that was touched, and of nothing else.

import { shareTrait, uniteTrait } from "./widgets/bound_traits.js";
import { explorerKeys } from "./widgets/explorer_keys.js";
import { explorerLayout } from "./widgets/explorer_layout.js";
import { explorerPointing } from "./widgets/explorer_pointing.js";
import { DRAWING } from "./widgets/frame.js";
import { watchKernel } from "./widgets/lifeline.js";
import { onNewPicture, withoutEdits } from "./widgets/photo_thumb.js";
import { handWins, saveNow } from "./widgets/saving.js";
import { becomeRoot, element, followFrame, onChange } from "./widgets/shared.js";

/** Milliseconds that a pointer rests on a row of the tree before it may be about to click. */
const REST = 60;

/** Traits that hold the widgets it is made of. */
const WIDGETS = "store tree map grid slider stages picker compare_picker why".split(" ");

/**
 * Layers that will probably be looked at next: the rest of the block, then what stages hand on.
 * @param {import("./widgets/explorer_layout.js").Row[]} rows
 * @param {string} layer
 * @param {string[]} stages
 */
export function nextLayers(rows, layer, stages) {
  const here = rows.find((row) => row.path === layer);
  const block = here?.block ? rows.filter((row) => row.block === here.block) : [];
  const paths = [...block.map((row) => row.path), ...stages];
  return [...new Set(paths)].filter((path) => path !== layer);
}

/** @param {Error} error */
function notStarted(error) {
  return element("div", {
    class: "rw-error",
    role: "alert",
    text: `A part of the explorer did not start. Run this cell again. (${error.message})`,
  });
}

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context */
async function renderExplorer({ model, el, signal, host }) {
  becomeRoot(el, signal);
  el.classList.add("rw-explorer");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "Network explorer");
  el.tabIndex = -1;
  /** @type {Record<string, any>} widgets by trait name */
  const widgets = {};
  /** @type {Record<string, any>} models by trait name */
  const models = {};
  try {
    await Promise.all(
      WIDGETS.map(async (name) => {
        widgets[name] = await host.getWidget(model.get(name));
        models[name] = await host.getModel(model.get(name));
      }),
    );
  } catch (error) {
    // Without this the cell would stay blank: anywidget gives a part two seconds to start.
    if (!signal.aborted) el.append(notStarted(/** @type {Error} */ (error)));
    return;
  }
  if (signal.aborted) return;
  const { tree, map, grid, slider, stages, why } = models;
  const store = widgets.store.exports;
  /** @returns {import("./widgets/explorer_layout.js").Row | undefined} */
  const rowOf = (/** @type {string} */ path) =>
    tree.get("layers").find((/** @type {{ path: string }} */ row) => row.path === path);
  /** Width and height of the model's input. @returns {[number, number]} */
  function inputSize() {
    const [height, width] = model.get("about").size ?? [1, 1];
    return [width, height];
  }

  // Before any view listens: none sees what an echo would take back.
  handWins(model, ["layer", "channel", "bookmarks"], signal);
  const layout = explorerLayout({ model, el, signal, host, models, rowOf, inputSize });

  shareTrait(
    model,
    "layer",
    [
      [tree, "selected"],
      [map, "layer"],
      [grid, "layer"],
      [slider, "layer"],
      [stages, "selected"],
      [why, "layer"],
    ],
    signal,
    { later: true },
  );
  shareTrait(
    model,
    "channel",
    [
      [map, "channel"],
      [grid, "channel"],
      [slider, "value"],
      [stages, "channel"],
      [why, "channel"],
    ],
    signal,
  );
  for (const trait of ["cursor", "region"]) {
    shareTrait(
      model,
      trait,
      [
        [map, trait],
        [stages, trait],
        [why, trait],
      ],
      signal,
    );
  }
  for (const trait of ["blend", "symmetric", "clip", "colormap"]) {
    uniteTrait(trait, [map, grid, stages], signal);
  }
  // Numbers that hold for one layer, and say nothing about another.
  uniteTrait("limits", [map, grid], signal);
  // The reference first: with the order, views look at it.
  for (const trait of ["reference", "order", "hide"])
    uniteTrait(trait, [map, grid, slider], signal);

  const mark = explorerPointing({ model, signal, models, store, layout, rowOf, inputSize });
  explorerKeys({ model, el, signal, models, layout });

  /** @param {string[]} [pointedAt] layers before the others */
  function fetchAhead(pointedAt = []) {
    const [shot, layer] = [model.get("photo"), model.get("layer")];
    if (!shot || !layer || signal.aborted) return;
    const next = nextLayers(tree.get("layers"), layer, stages.get("layers"));
    store.prefetch(shot, [...pointedAt, ...next]);
  }

  /** @type {any} */
  let resting;
  /** Fetches what is pointed at: a hand takes longer to click than a frame to come. */
  function pointAt(/** @type {PointerEvent} */ event) {
    clearTimeout(resting);
    // A finger that scrolls points at nothing.
    if (event.pointerType === "touch") return;
    const item = /** @type {Element} */ (event.target).closest("[role=treeitem]");
    const path = item?.getAttribute("data-name") ?? "";
    if (rowOf(path)) resting = setTimeout(() => fetchAhead([path]), REST);
  }

  /** Asks for the picture of the photo shown. */
  function fetchPicture() {
    if (model.get("photo")) model.send({ kind: "picture", photo: model.get("photo") });
  }
  async function receive(/** @type {any} */ message, /** @type {DataView[]} */ buffers) {
    const isShown = () => withoutEdits(message.photo) === withoutEdits(model.get("photo"));
    if (message.kind !== "picture" || !isShown()) return;
    const bitmap = await createImageBitmap(new Blob([/** @type {any} */ (buffers[0])]));
    if (signal.aborted || !isShown()) bitmap.close();
    else layout.photo.show(bitmap, model.get("picture"));
  }
  const pickers = [models.picker, models.compare_picker];
  const kernel = watchKernel(
    model,
    (message) => {
      layout.gone.textContent = message;
      layout.gone.hidden = !message;
      // What was picked has not arrived.
      if (message) for (const picker of pickers) picker.set("busy", false);
    },
    signal,
  );
  model.on("msg:custom", receive);
  signal.addEventListener("abort", () => model.off("msg:custom", receive));

  /** @type {any} */
  let telling;
  followFrame({ model: map, host, signal }, ({ state }) => {
    mark();
    if (state === "busy") {
      kernel.asked();
      return;
    }
    kernel.answered();
    // The layer, once its frame is drawn: to hear of it would keep the kernel from making that.
    clearTimeout(telling);
    telling = setTimeout(saveNow, DRAWING);
  });
  signal.addEventListener("abort", () => clearTimeout(telling));
  for (const picker of pickers)
    onChange(picker, ["busy"], () => picker.get("busy") && kernel.asked(), signal);
  /** @type {any} */
  let drawing;
  // Later, because what the views ask for goes first.
  const moveOn = () => {
    clearTimeout(drawing);
    drawing = setTimeout(fetchAhead, DRAWING);
  };
  onChange(model, ["layer", "photo"], moveOn, signal);
  layout.boxes.tree.addEventListener("pointerover", pointAt, { signal });
  layout.boxes.tree.addEventListener("pointerleave", () => clearTimeout(resting), { signal });
  const retry = (/** @type {any} */ { detail }) => {
    for (const photo of ["photo", "compare_photo"]) store.retry(model.get(photo), detail);
  };
  layout.boxes.tree.addEventListener("rw-chosen", retry, { signal });

  widgets.picker.exports.dropTarget(el, signal);
  widgets.compare_picker.exports.dropTarget(layout.compareBox, signal);
  onNewPicture(model, { photo: "photo", picture: "picture" }, fetchPicture, signal);
  const { boxes, header } = layout;
  await Promise.all([
    widgets.tree.render({ el: boxes.tree, signal }),
    widgets.map.render({ el: boxes.map, signal }),
    widgets.map.exports.renderValues({ el: boxes.values, signal, host }),
    widgets.slider.render({ el: boxes.slider, signal }),
    widgets.map.exports.renderPins({ el: boxes.pins, signal, host }),
    widgets.grid.render({ el: boxes.grid, signal }),
    widgets.stages.render({ el: boxes.stages, signal }),
    widgets.why.render({ el: boxes.why, signal }),
    widgets.picker.render({ el: header.picker, signal }),
    widgets.compare_picker.render({ el: boxes.comparePicker, signal }),
  ]);
  fetchAhead();
}

export default { render: renderExplorer };
