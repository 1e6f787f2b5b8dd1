// All channels of a layer as one contact sheet. Only the rows in view and around it are painted.

import { channelColors, colormapName, colormapTable, paintTile } from "./colors.js";
import { channelFacts, channelKinds, KINDS, visibleChannels } from "./orders.js";
import { colorRange, RANGE_TRAITS, rangeChoice, rangeEnds } from "./ranges.js";
import { change, element, onChange, oncePerFrame, setTrait } from "./shared.js";
import { sheetFoot } from "./sheet_foot.js";
import {
  clampZoom,
  GAP,
  rowsToPaint,
  scrollToTile,
  sheetLayout,
  tileAt,
  walkSheet,
  ZOOMS,
} from "./sheet_layout.js";
import { markTile } from "./sheet_marks.js";
import { sheetOutline } from "./sheet_outline.js";
import { tileLift } from "./tile_lift.js";
import { tilePlanes } from "./tile_planes.js";

/** Pixels of what is painted at a time; on a screen with small pixels more is drawn coarser. */
const MOST_PIXELS = 4e6;

/**
 * @param {any} model an ActivationMap's
 * @param {AbortSignal} signal
 */
export function channelSheet(model, signal) {
  const canvas = element("canvas", { class: "rw-cells", "aria-hidden": "true" });
  const marks = element("canvas", { class: "rw-sheet-marks", "aria-hidden": "true" });
  const looking = sheetOutline();
  const here = element("div", {
    class: "rw-tile-here",
    role: "gridcell",
    "aria-selected": "true",
    id: `rw-${Math.random().toString(36).slice(2)}`,
  });
  const row = element("div", { role: "row" }, here);
  const over = element("div", { class: "rw-tile-over", hidden: true });
  const space = element("div", { class: "rw-sheet-space" }, canvas, marks, looking.node, over, row);
  const sheet = element(
    "div",
    { class: "rw-sheet", tabindex: 0, role: "grid", "aria-activedescendant": here.id },
    space,
  );
  const lift = tileLift();
  const foot = sheetFoot(model, signal);
  const node = element("div", { class: "rw-sheet-frame" }, sheet, lift.node, foot.node);

  /** @type {import("./frame.js").Frame | null} */
  let frame = null;
  /** @type {number[]} channel at each position */
  let order = [];
  let layout = sheetLayout(0, 1, 1);
  let width = 0;
  /** What is in view, kept from the events that change it: to ask for it lays out the page. */
  let view = { top: 0, height: 0 };
  /** @type {[number, number]} rows on the canvas */
  let painted = [0, 0];
  const planesFor = tilePlanes();
  /** @type {ImageData | null} */
  let image = null;
  /** @type {{ position: number, y: number } | null} tile that stays where it is while all others grow */
  let anchor = null;

  const channelNow = () => Math.min(model.get("channel"), (frame?.channels ?? 1) - 1);
  const positionNow = () => order.indexOf(channelNow());
  const tileOf = (/** @type {number} */ position) => tileAt(layout, position);

  /** Sorts, and lays out the tiles. */
  function arrange() {
    if (!frame || !width) return;
    order = visibleChannels(frame, model, channelNow());
    const zoom = model.get("zoom");
    layout = sheetLayout(order.length, width, frame.height / frame.width, zoom);
    space.style.height = `${layout.height}px`;
    sheet.toggleAttribute("data-zoomed", zoom > 1);
    measure();
    const [seen, pitch] = [view.height, layout.tileHeight + GAP];
    // Room after the last row, so that at the end as well a row begins where the view does.
    const end = seen + Math.ceil((layout.height - seen) / pitch) * pitch;
    if (layout.height > seen && layout.tileHeight < seen) space.style.height = `${end}px`;
    change(sheet, {
      "aria-label": `All ${frame.channels} channels of ${frame.layer}`,
      "aria-rowcount": layout.rows,
      "aria-colcount": layout.columns,
    });
    foot.show(channelKinds(frame));
    if (anchor && anchor.position < order.length) {
      sheet.scrollTop = tileOf(anchor.position).y - anchor.y;
      measure();
    }
    anchor = null;
    place();
    paint();
  }

  function measure() {
    view = { top: sheet.scrollTop, height: sheet.clientHeight };
  }

  function paint() {
    if (!frame || !width) return;
    painted = rowsToPaint(layout, view.top, view.height);
    const [first, end] = painted;
    const top = first * (layout.tileHeight + GAP);
    const height = Math.max(1, end * (layout.tileHeight + GAP) - GAP - top);
    const ratio = devicePixelRatio;
    const unit = width * height * ratio * ratio <= MOST_PIXELS ? ratio : 1;
    const px = (/** @type {number} */ length) => Math.round(length * unit);
    for (const one of [canvas, marks]) {
      one.style.top = `${top}px`;
      one.style.width = `${width}px`;
      one.style.height = `${height}px`;
    }
    // A new size clears a canvas and costs more than to paint it over.
    if (canvas.width !== px(width) || canvas.height !== px(height)) {
      canvas.width = marks.width = px(width);
      canvas.height = marks.height = px(height);
    }
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (image?.width !== canvas.width || image.height !== canvas.height) {
      image = context.createImageData(canvas.width, canvas.height);
    }
    const pixels = new Uint32Array(image.data.buffer).fill(0);
    const signs = /** @type {CanvasRenderingContext2D} */ (marks.getContext("2d"));
    signs.clearRect(0, 0, marks.width, marks.height);
    const colorsOf = channelPainter(frame);
    // Rounded down, so that no tile reaches beyond the sheet.
    const [tileWidth, tileHeight] = [layout.tileWidth, layout.tileHeight].map((length) =>
      Math.max(1, Math.floor(length * unit)),
    );
    const { planeOf, stride, columns, rows } = planesFor(frame, tileWidth, tileHeight);
    const kinds = channelKinds(frame);
    const last = Math.min(order.length, end * layout.columns);
    for (let position = first * layout.columns; position < last; position++) {
      const channel = order[position];
      const { colors, range } = colorsOf(channel);
      const tile = tileOf(position);
      const [x, y] = [px(tile.x), px(tile.y - top)];
      paintTile(pixels, canvas.width, x, y, columns, rows, planeOf(channel), stride, colors);
      const rect = { x, y, width: tileWidth, height: tileHeight };
      markTile(signs, rect, { frame, channel, range, colors, kind: kinds[channel] }, unit);
    }
    context.putImageData(image, 0, 0);
    canvas.dataset.shown = frame.layer;
    canvas.dataset.row = String(first);
    outline();
  }

  /** Frames, in every tile on the canvas, the cells that look at the pixel pointed at. */
  function outline() {
    const [first, end] = painted;
    const last = Math.min(order.length, end * layout.columns);
    const box = frame ? model.get("outline") : [];
    looking.draw(box, canvas, layout, { first, last, width });
  }

  /** Colours of one channel after the other, into one table. */
  function channelPainter(/** @type {import("./frame.js").Frame} */ of) {
    const choice = rangeChoice(model);
    const ends = rangeEnds(of, choice.clip);
    const table = colormapTable(colormapName(model.get("colormap"), choice.symmetric));
    const colors = new Uint32Array(256);
    return (/** @type {number} */ channel) => {
      const range = colorRange(ends, channel, choice);
      channelColors(table, of.low[channel], of.high[channel], range, colors);
      return { colors, range };
    };
  }

  /** Frames the selected tile. */
  function place() {
    const position = positionNow();
    change(row, { hidden: position < 0 });
    if (position < 0 || !frame) return;
    put(here, position);
    const kind = channelKinds(frame)[order[position]];
    const note = kind ? `, ${KINDS[kind].meaning}` : "";
    const label = `channel ${order[position]}, ${channelFacts(frame, order[position])}${note}`;
    change(here, { "aria-label": label, "aria-colindex": (position % layout.columns) + 1 });
    change(row, { "aria-rowindex": Math.floor(position / layout.columns) + 1 });
  }

  /** Scrolls to the selected tile, within the sheet, never the page. */
  function reveal() {
    const position = positionNow();
    if (position < 0) return;
    const { y } = tileOf(position);
    const top = scrollToTile(y, layout.tileHeight, view);
    if (top === view.top) return;
    sheet.scrollTop = top;
    measure();
  }

  function put(/** @type {HTMLElement} */ box, /** @type {number} */ position) {
    const { x, y } = tileOf(position);
    box.style.transform = `translate(${x}px, ${y}px)`;
    box.style.width = `${layout.tileWidth}px`;
    box.style.height = `${layout.tileHeight}px`;
  }

  /** The position under the pointer, or -1. */
  function positionAt(/** @type {MouseEvent} */ event) {
    const box = space.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / layout.pitch);
    const line = Math.floor((event.clientY - box.top) / (layout.tileHeight + GAP));
    const position = line * layout.columns + column;
    const inside = column >= 0 && column < layout.columns && line >= 0;
    return inside && position < order.length ? position : -1;
  }

  function hover(/** @type {PointerEvent} */ event) {
    const position = event.pointerType === "touch" ? -1 : positionAt(event);
    over.hidden = position < 0;
    if (position < 0 || !frame) {
      lift.hide();
      return;
    }
    put(over, position);
    const { x, y } = tileOf(position);
    const tile = {
      left: x,
      top: y - view.top,
      width: layout.tileWidth,
      height: layout.tileHeight,
    };
    lift.show(frame, order[position], channelPainter(frame)(order[position]).colors, tile);
  }

  function leave() {
    over.hidden = true;
    lift.hide();
  }

  /** Grows or shrinks the tiles around one of them. */
  function zoomBy(/** @type {number} */ factor, /** @type {number} */ position) {
    if (position >= 0) anchor = { position, y: tileOf(position).y - view.top };
    setTrait(model, "zoom", clampZoom(model.get("zoom") * factor));
  }

  function onKey(/** @type {KeyboardEvent} */ event) {
    if (!order.length || event.altKey || event.ctrlKey || event.metaKey) return;
    const position = walkSheet(event.key, Math.max(0, positionNow()), order.length, layout.columns);
    if (event.key === "+" || event.key === "=") zoomBy(ZOOMS.step, positionNow());
    else if (event.key === "-") zoomBy(1 / ZOOMS.step, positionNow());
    else if (event.key === "0") setTrait(model, "zoom", 1);
    else if (position >= 0) setTrait(model, "channel", order[position]);
    else return;
    event.preventDefault();
  }

  function onWheel(/** @type {WheelEvent} */ event) {
    // With Ctrl the browser would zoom the page; a pinch on a touchpad comes as this, too.
    if (!event.ctrlKey) return;
    event.preventDefault();
    leave();
    zoomBy(2 ** (-event.deltaY / 300), positionAt(event));
  }

  const paintSoon = oncePerFrame(paint, signal);
  const outlineSoon = oncePerFrame(outline, signal);
  const arrangeSoon = oncePerFrame(arrange, signal);
  const sortSoon = oncePerFrame(() => {
    arrange();
    reveal();
  }, signal);
  const followSoon = oncePerFrame(() => {
    place();
    reveal();
  }, signal);
  function onScroll() {
    leave();
    measure();
    const pitch = layout.tileHeight + GAP;
    const [first, end] = [view.top / pitch, (view.top + view.height) / pitch];
    if (first < painted[0] || Math.min(end, layout.rows) > painted[1]) paintSoon();
  }

  sheet.addEventListener("pointermove", hover, { signal });
  sheet.addEventListener("pointerleave", leave, { signal });
  sheet.addEventListener("scroll", onScroll, { signal, passive: true });
  sheet.addEventListener("wheel", onWheel, { signal, passive: false });
  sheet.addEventListener("keydown", onKey, { signal });
  sheet.addEventListener(
    "click",
    (event) => {
      const position = positionAt(event);
      if (position >= 0) setTrait(model, "channel", order[position]);
    },
    { signal },
  );
  foot.onZoom((direction) => zoomBy(ZOOMS.step ** direction, positionNow()));
  onChange(model, ["colormap", ...RANGE_TRAITS], paintSoon, signal);
  onChange(model, ["order", "reference", "hide"], sortSoon, signal);
  onChange(model, ["zoom"], arrangeSoon, signal);
  onChange(model, ["outline"], outlineSoon, signal);
  onChange(
    model,
    ["channel"],
    () => {
      // A channel that was left out is shown while it is the selected one.
      if (model.get("hide")) sortSoon();
      else followSoon();
    },
    signal,
  );
  const resized = new ResizeObserver(() => {
    measure();
    if (sheet.clientWidth && sheet.clientWidth !== width) {
      width = sheet.clientWidth;
      sortSoon();
    } else paintSoon();
  });
  resized.observe(sheet);
  signal.addEventListener("abort", () => resized.disconnect());

  return {
    node,
    /** @param {import("./frame.js").Frame} next */
    show(next) {
      frame = next;
      leave();
      sortSoon();
    },
  };
}
