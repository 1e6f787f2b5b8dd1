// The explorer lays out its children and binds them, in the page: the kernel hears of a change from
// the explorer and from the child that was touched, and of nothing else.

import { bookmarkList } from "./widgets/bookmark_list.js";
import { compareView } from "./widgets/compare_view.js";
import { readingOf } from "./widgets/cursor.js";
import {
  footerOf,
  headerOf,
  predictionList,
  titled,
  toggle,
  waitingCard,
} from "./widgets/explorer_parts.js";
import { helpCard } from "./widgets/help_card.js";
import { watchKernel } from "./widgets/lifeline.js";
import { photoView } from "./widgets/photo_view.js";
import { fieldSize, look, lookers } from "./widgets/receptive_field.js";
import { regionList } from "./widgets/region_list.js";
import {
  becomeRoot,
  element,
  errorLine,
  followFrame,
  onChange,
  setTrait,
} from "./widgets/shared.js";

/** @typedef {{ path: string, stage: string, block: string, shape: number[],
 *   field: import("./widgets/receptive_field.js").Field | null }} Row */

/**
 * Layers that will probably be looked at next: the rest of the block, then what stages hand on.
 * @param {Row[]} rows
 * @param {string} layer
 * @param {string[]} stages
 */
export function nextLayers(rows, layer, stages) {
  const here = rows.find((row) => row.path === layer);
  const block = here?.block ? rows.filter((row) => row.block === here.block) : [];
  const paths = [...block.map((row) => row.path), ...stages];
  return [...new Set(paths)].filter((path) => path !== layer);
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
  const names = [
    ...["store", "tree", "map", "grid", "slider", "stages", "picker", "compare_picker"],
    "why",
  ];
  await Promise.all(
    names.map(async (name) => {
      widgets[name] = await host.getWidget(model.get(name));
      models[name] = await host.getModel(model.get(name));
    }),
  );
  if (signal.aborted) return;
  const { tree, map, grid, slider, stages, why } = models;
  const store = widgets.store.exports;
  /** @returns {Row | undefined} */
  const rowOf = (/** @type {string} */ path) =>
    tree.get("layers").find((/** @type {Row} */ row) => row.path === path);

  /**
   * Keeps traits of children equal to a trait of the explorer.
   * @param {string} trait
   * @param {[any, string][]} others
   */
  function share(trait, others) {
    const give = () => {
      for (const [other, name] of others) {
        if (JSON.stringify(other.get(name)) !== JSON.stringify(model.get(trait))) {
          other.set(name, model.get(trait));
        }
      }
    };
    give();
    onChange(model, [trait], give, signal);
    for (const [other, name] of others) {
      onChange(other, [name], () => setTrait(model, trait, other.get(name)), signal);
    }
  }
  /**
   * Keeps a trait equal among children.
   * @param {string} trait
   * @param {any[]} among
   */
  function unite(trait, among) {
    for (const one of among) {
      const give = () => {
        for (const other of among) if (other !== one) setTrait(other, trait, one.get(trait));
      };
      onChange(one, [trait], give, signal);
    }
  }

  /** Width and height of the model's input. @returns {[number, number]} */
  function inputSize() {
    const [height, width] = model.get("about").size ?? [1, 1];
    return [width, height];
  }

  const header = headerOf(model, signal);
  const notes = element("div", { class: "rw-note", role: "status", hidden: true });
  const gone = element("div", { class: "rw-error", role: "alert", hidden: true });
  const waiting = waitingCard(model, signal);
  const help = helpCard();
  const photo = photoView({
    model,
    signal,
    size: inputSize,
    cells: () => {
      const [height, width, channels] = rowOf(model.get("layer"))?.shape ?? [];
      return channels ? [width, height] : null;
    },
  });
  const sees = element("span");
  const photoNotes = element("div", { class: "rw-photo-notes" });
  const photoBox = titled(
    element("span", { text: "Photo" }),
    sees,
    photo.node,
    photo.control,
    photoNotes,
  );
  photoBox.classList.add("rw-photo-part");
  const mapBox = element("div");
  const facts = element("div", { class: "rw-explorer-facts" });
  const values = element("div");
  const predictions = predictionList(model, signal);
  facts.append(predictions, values);
  const sliderBox = element("div");
  const pinsBox = element("div");
  const gridBox = element("div");
  const stagesBox = element("div");
  const regionBox = regionList({ model, map, host, signal });
  const comparePicker = element("span");
  const compareBox = compareView({ model, map, controls: comparePicker, host, signal });
  const bookmarks = bookmarkList({ model, map, signal });
  const whyBox = element("div");
  const treeBox = element("div", { class: "rw-explorer-tree-box" });
  const treeName = element("summary");
  const treePart = element("details", { class: "rw-explorer-tree", open: true }, treeName, treeBox);
  const main = element(
    "div",
    { class: "rw-explorer-main" },
    element("div", { class: "rw-explorer-top" }, photoBox, mapBox, facts),
    sliderBox,
    regionBox,
    pinsBox,
    gridBox,
    stagesBox,
    compareBox,
    bookmarks.node,
    whyBox,
  );
  const empty = element("div", { class: "rw-empty rw-explorer-empty" });
  empty.append(
    element("p", { text: "No photo yet." }),
    element("p", { text: "Choose, drop or paste one at the top, or set it from Python:" }),
    element("code", { text: 'explorer.image = "cat.jpg"' }),
  );
  const body = element("div", { class: "rw-explorer-body" }, treePart, main, empty);
  const footer = footerOf();
  el.append(header.node, errorLine(model, signal), gone, notes, waiting, body, footer.node, help);

  share("layer", [
    [tree, "selected"],
    [map, "layer"],
    [grid, "layer"],
    [slider, "layer"],
    [stages, "selected"],
    [why, "layer"],
  ]);
  share("channel", [
    [map, "channel"],
    [grid, "channel"],
    [slider, "value"],
    [stages, "channel"],
    [why, "channel"],
  ]);
  for (const trait of ["cursor", "region"]) {
    share(trait, [
      [map, trait],
      [stages, trait],
      [why, trait],
    ]);
  }
  for (const trait of ["blend", "symmetric", "clip"]) unite(trait, [map, grid, stages]);
  // Numbers that hold for one layer, and say nothing about another.
  unite("limits", [map, grid]);
  unite("colormap", [map, grid, stages]);
  // The reference first: with the order, views look at it.
  for (const trait of ["reference", "order"]) unite(trait, [map, grid, slider]);

  // -- what shows what ----------------------------------------------------------------------------

  function arrange() {
    const ready = tree.get("layers").length > 0;
    const hasPhoto = model.get("photo") !== "";
    waiting.hidden = ready && (hasPhoto || !model.get("status"));
    body.hidden = !ready || !waiting.hidden;
    main.hidden = !hasPhoto;
    empty.hidden = hasPhoto;
    footer.node.hidden = body.hidden;
    treeName.textContent = model.get("layer") || "Layers";
    const note = model.get("about").note ?? "";
    notes.textContent = note;
    notes.hidden = !note || header.note.getAttribute("aria-expanded") !== "true";
    photoNotes.textContent = (model.get("picture").notes ?? []).join("; ");
    photoNotes.hidden = !photoNotes.textContent;
    const [height, width] = model.get("about").size ?? [1, 1];
    photo.setAspect(width / height);
    // A vector has no channels to lay out beside the bars that show it already.
    gridBox.hidden = (rowOf(model.get("layer"))?.shape.length ?? 3) < 3;
    if (gridBox.hidden) photo.setOverlay(null);
  }

  function mark() {
    const size = model.get("about").size ?? [1, 1];
    const layer = rowOf(model.get("layer"));
    const cursor = model.get("cursor");
    const seen = look(cursor, layer, size);
    const pixels = seen?.pixels ?? [];
    photo.mark(
      cursor,
      pixels.map((edge, i) => edge / size[(i + 1) % 2]),
    );
    sees.textContent = sees.title = pixels.length ? fieldSize(pixels, size) : "";
    footer.show(seen, reading(seen?.block), size);
  }

  /** Outlines, in every open map, the cells that see the pixel pointed at. */
  function outline() {
    const pixel = model.get("pixel");
    map.set("outline", lookers(pixel, rowOf(model.get("layer"))));
    const layers = /** @type {string[]} */ (stages.get("layers"));
    stages.set(
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

  function stayInRange() {
    const count = rowOf(model.get("layer"))?.shape.at(-1) ?? 0;
    if (count > 0 && model.get("channel") >= count) setTrait(model, "channel", count - 1);
  }

  function fetchAhead() {
    const [shot, layer] = [model.get("photo"), model.get("layer")];
    if (!shot || !layer || signal.aborted) return;
    store.prefetch(shot, nextLayers(tree.get("layers"), layer, stages.get("layers")));
  }

  /** Asks for the picture of the photo shown. */
  function fetchPicture() {
    if (model.get("photo")) model.send({ kind: "picture", photo: model.get("photo") });
  }
  async function receive(/** @type {any} */ message, /** @type {DataView[]} */ buffers) {
    if (message.kind !== "picture" || message.photo !== model.get("photo")) return;
    const bitmap = await createImageBitmap(new Blob([/** @type {any} */ (buffers[0])]));
    if (signal.aborted || message.photo !== model.get("photo")) bitmap.close();
    else photo.show(bitmap, model.get("picture"));
  }
  const kernel = watchKernel(
    model,
    (message) => {
      gone.textContent = message;
      gone.hidden = !message;
      // What was picked has not arrived.
      if (message) models.picker.set("busy", false);
    },
    signal,
  );
  model.on("msg:custom", receive);
  signal.addEventListener("abort", () => model.off("msg:custom", receive));

  mapBox.addEventListener(
    "rw-painted",
    (event) => {
      // A last picture of the layer before may still come when this one has none.
      if (!gridBox.hidden) photo.setOverlay(/** @type {HTMLCanvasElement} */ (event.target));
    },
    { signal },
  );
  onChange(model, ["cursor"], dropPixel, signal);
  onChange(model, ["pixel", "layer"], outline, signal);
  onChange(stages, ["layers"], outline, signal);
  onChange(model, ["photo", "picture", "status", "about", "layer"], arrange, signal);
  onChange(tree, ["layers"], arrange, signal);
  onChange(model, ["cursor", "layer", "channel", "about"], mark, signal);
  followFrame({ model: map, host, signal }, ({ state }) => {
    mark();
    if (state === "busy") kernel.asked();
    else kernel.answered();
  });
  onChange(models.picker, ["busy"], () => models.picker.get("busy") && kernel.asked(), signal);
  onChange(model, ["layer"], stayInRange, signal);
  // Later, because the views ask for what they show in a microtask, and theirs goes first.
  onChange(model, ["layer", "photo"], () => setTimeout(fetchAhead), signal);
  // A photo and its own crop have one key, because the model sees the same, but two pictures.
  onChange(model, ["photo", "picture"], fetchPicture, signal);
  header.crop.addEventListener("click", () => photo.setWhole(toggle(header.crop, "aria-pressed")), {
    signal,
  });
  header.note.addEventListener(
    "click",
    () => {
      toggle(header.note, "aria-expanded");
      arrange();
    },
    { signal },
  );
  header.help.addEventListener("click", () => toggleHelp(), { signal });
  help.querySelector("button")?.addEventListener("click", () => toggleHelp(false), { signal });

  /** Where the focus was before the card opened. @type {HTMLElement | null} */
  let before = null;
  function toggleHelp(open = help.hidden) {
    if (open && help.hidden) before = /** @type {HTMLElement} */ (el.ownerDocument.activeElement);
    help.hidden = !open;
    header.help.setAttribute("aria-expanded", String(open));
    if (open) help.querySelector("button")?.focus();
    else (before && el.contains(before) ? before : header.help).focus({ preventScroll: true });
  }

  // -- keys ---------------------------------------------------------------------------------------

  function onKey(/** @type {KeyboardEvent} */ event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && !help.hidden) toggleHelp(false);
    else if (event.key === "Escape" && model.get("region").length) setTrait(model, "region", []);
    else if (target.closest("input, select, textarea")) return;
    else if (event.key === "?") toggleHelp();
    else if (event.key === "b") bookmarks.begin();
    else if (event.key === "/") {
      treePart.open = true;
      /** @type {HTMLElement | null} */ (treeBox.querySelector("input"))?.focus();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      stepLayer(event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      // The slider knows its order: let it take the key as its own.
      sliderBox
        .querySelector("[role=slider]")
        ?.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, cancelable: true }));
    } else return;
    event.preventDefault();
  }
  function stepLayer(/** @type {number} */ step) {
    const rows = /** @type {Row[]} */ (tree.get("layers"));
    const next = rows.findIndex((row) => row.path === model.get("layer")) + step;
    if (rows[next]) setTrait(model, "layer", rows[next].path);
  }
  el.addEventListener("keydown", onKey, { signal });

  // A narrow cell has no room for a tree beside the maps: there it folds, above them.
  let wasNarrow = false;
  const resized = new ResizeObserver(() => {
    const narrow = el.clientWidth < 720;
    if (el.clientWidth === 0 || narrow === wasNarrow) return;
    wasNarrow = narrow;
    el.classList.toggle("rw-narrow", narrow);
    treePart.open = !narrow;
  });
  resized.observe(el);
  signal.addEventListener("abort", () => resized.disconnect());

  widgets.picker.exports.dropTarget(el, signal);
  widgets.compare_picker.exports.dropTarget(compareBox, signal);
  arrange();
  mark();
  outline();
  fetchPicture();
  await Promise.all([
    widgets.tree.render({ el: treeBox, signal }),
    widgets.map.render({ el: mapBox, signal }),
    widgets.map.exports.renderValues({ el: values, signal, host }),
    widgets.slider.render({ el: sliderBox, signal }),
    widgets.map.exports.renderPins({ el: pinsBox, signal, host }),
    widgets.grid.render({ el: gridBox, signal }),
    widgets.stages.render({ el: stagesBox, signal }),
    widgets.why.render({ el: whyBox, signal }),
    widgets.picker.render({ el: header.picker, signal }),
    widgets.compare_picker.render({ el: comparePicker, signal }),
  ]);
  fetchAhead();
}

export default { render: renderExplorer };
