// Where the parts of the explorer are, and which of them are seen.

import { bookmarkList } from "./bookmark_list.js";
import { compareView } from "./compare_view.js";
import { explorerJumps } from "./explorer_jumps.js";
import {
  footerOf,
  headerOf,
  predictionList,
  titled,
  toggle,
  waitingCard,
} from "./explorer_parts.js";
import { changeAndHandOn } from "./focus.js";
import { helpCard } from "./help_card.js";
import { photoView } from "./photo_view.js";
import { regionList } from "./region_list.js";
import { change, element, errorLine, onChange, setTrait } from "./shared.js";

/** @typedef {{ path: string, stage: string, block: string, shape: number[],
 *   field: import("./receptive_field.js").Field | null }} Row */

/**
 * @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any,
 *   models: Record<string, any>, rowOf: (path: string) => Row | undefined,
 *   inputSize: () => [number, number] }} context
 */
export function explorerLayout({ model, el, signal, host, models, rowOf, inputSize }) {
  /** Into these the widgets are rendered. */
  const boxes = {
    map: element("div"),
    values: element("div"),
    slider: element("div"),
    pins: element("div"),
    grid: element("div", { role: "group", "aria-label": "All channels" }),
    stages: element("div", { role: "group", "aria-label": "Layers side by side" }),
    comparePicker: element("span"),
    why: element("div", { role: "group", "aria-label": "Why?" }),
    tree: element("div", { class: "rw-explorer-tree-box" }),
  };
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
  const facts = element("div", { class: "rw-explorer-facts" });
  const predictions = predictionList({ model, why: models.why, host, signal });
  facts.append(predictions, boxes.values);
  const regionBox = regionList({ model, map: models.map, host, signal });
  const compareBox = compareView({
    model,
    map: models.map,
    controls: boxes.comparePicker,
    host,
    signal,
  });
  const bookmarks = bookmarkList({
    model,
    map: models.map,
    why: models.why,
    host,
    onReplay: () => jumps.jump(0),
    signal,
  });
  const treeName = element("summary");
  const treePart = element(
    "details",
    { class: "rw-explorer-tree", open: true },
    treeName,
    boxes.tree,
  );
  const top = element(
    "div",
    { class: "rw-explorer-top", role: "group", "aria-label": "Photo and map" },
    photoBox,
    boxes.map,
    facts,
  );
  const jumps = explorerJumps(
    [
      ["Map", top],
      ["All channels", boxes.grid],
      ["Side by side", boxes.stages],
      ["Compare", compareBox],
      ["Bookmarks", bookmarks.node],
      ["Why?", boxes.why],
    ],
    signal,
  );
  const main = element(
    "div",
    { class: "rw-explorer-main" },
    jumps.node,
    top,
    boxes.slider,
    regionBox,
    boxes.pins,
    boxes.grid,
    boxes.stages,
    compareBox,
    bookmarks.node,
    boxes.why,
  );
  const empty = element("div", { class: "rw-empty rw-explorer-empty" });
  empty.append(
    element("p", { text: "No photo yet." }),
    element("p", { text: "Choose, drop or paste one at the top, or set it from Python:" }),
    element("code", { text: 'explorer.image = "cat.jpg"' }),
  );
  const body = element("div", { class: "rw-explorer-body" }, treePart, main, empty);
  const footer = footerOf(el, signal);
  el.append(header.node, errorLine(model, signal), gone, notes, waiting, body, footer.node, help);

  function arrange() {
    const ready = models.tree.get("layers").length > 0;
    const hasPhoto = model.get("photo") !== "";
    changeAndHandOn(waiting, { hidden: ready && (hasPhoto || !model.get("status")) });
    change(body, { hidden: !ready || !waiting.hidden });
    change(main, { hidden: !hasPhoto });
    change(empty, { hidden: hasPhoto });
    change(footer.node, { hidden: body.hidden });
    change(treeName, { text: model.get("layer") || "Layers" });
    const note = model.get("about").note ?? "";
    const folded = header.note.getAttribute("aria-expanded") !== "true";
    change(notes, { text: note, hidden: !note || folded });
    const said = (model.get("picture").notes ?? []).join("; ");
    change(photoNotes, { text: said, hidden: !said });
    const [height, width] = model.get("about").size ?? [1, 1];
    photo.setAspect(width / height);
    // A vector has no channels to lay out beside the bars that show it already.
    change(boxes.grid, { hidden: (rowOf(model.get("layer"))?.shape.length ?? 3) < 3 });
    if (boxes.grid.hidden) photo.setOverlay(null);
    // A saved page says there what needs the notebook.
    change(boxes.why, { hidden: !models.why.get("live") && !host.saved });
    const [layer, channel] = [model.get("layer"), model.get("channel")];
    // One that the layer does not have becomes another as soon as its frame is there.
    const isThere = channel < (rowOf(layer)?.shape.at(-1) ?? Infinity);
    jumps.arrange([layer, ...(isThere ? [`ch ${channel}`] : [])].join(" · "));
  }

  onChange(model, ["photo", "picture", "status", "about", "layer", "channel"], arrange, signal);
  onChange(models.tree, ["layers"], arrange, signal);
  onChange(models.why, ["live"], arrange, signal);
  header.crop.addEventListener("click", () => setTrait(model, "whole", !model.get("whole")), {
    signal,
  });
  function showWhole() {
    header.crop.setAttribute("aria-pressed", String(model.get("whole")));
    photo.setWhole(model.get("whole"));
  }
  onChange(model, ["whole"], showWhole, signal);
  showWhole();
  header.note.addEventListener(
    "click",
    () => {
      toggle(header.note, "aria-expanded");
      arrange();
    },
    { signal },
  );
  boxes.map.addEventListener(
    "rw-painted",
    (event) => {
      // A last picture of the layer before may still come when this one has none.
      if (!boxes.grid.hidden) photo.setOverlay(/** @type {CustomEvent} */ (event).detail);
    },
    { signal },
  );

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

  arrange();
  return { boxes, header, gone, help, photo, sees, compareBox, bookmarks, treePart, footer, jumps };
}
