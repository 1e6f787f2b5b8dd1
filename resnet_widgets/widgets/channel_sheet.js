// All channels of a layer as one contact sheet.

import { cellSpans, channelColors, colormapName, colormapTable, paintTile } from "./colors.js";
import { colorRange, RANGE_TRAITS, rangeChoice, rangeEnds } from "./ranges.js";
import { channelOrder, element, formatShort, onChange, oncePerFrame, setTrait } from "./shared.js";

const GAP = 2;
const LARGEST = 72;
const SMALLEST = 28;
/** A sheet that can be this low without its tiles getting smaller than SMALLEST is. */
const LOW = 170;
/** Pixels of one sheet; on a screen with small pixels a larger one is drawn coarser. */
const MOST_PIXELS = 4e6;

/**
 * Tiles as large as the room allows, in rows that fill the width. All lengths in the unit of `width`.
 * @param {number} count of tiles
 * @param {number} width of the sheet
 * @param {number} aspect height of a tile over its width
 */
export function sheetLayout(count, width, aspect) {
  const columnsOf = (/** @type {number} */ tile) =>
    Math.max(1, Math.min(count, Math.floor((width + GAP) / (tile + GAP))));
  const measure = (/** @type {number} */ columns) => {
    const rows = Math.ceil(count / columns);
    const room = Math.floor((width + GAP) / columns - GAP);
    const tileWidth = Math.max(1, rows > 1 ? room : Math.min(room, LARGEST));
    const tileHeight = Math.max(1, Math.round(tileWidth * aspect));
    // What is left over goes between the tiles, or the right edge would be ragged.
    const pitch = rows > 1 ? (width + GAP) / columns : tileWidth + GAP;
    return { columns, rows, tileWidth, tileHeight, pitch, height: rows * (tileHeight + GAP) - GAP };
  };
  const most = columnsOf(SMALLEST);
  let columns = columnsOf(LARGEST);
  while (columns < most && measure(columns).height > LOW) columns++;
  const layout = measure(columns);
  // One row less for slightly smaller tiles, rather than a last row with a few of them.
  const denser = layout.rows > 1 ? measure(Math.ceil(count / (layout.rows - 1))) : layout;
  return denser.columns <= most && denser.tileWidth >= 0.85 * layout.tileWidth ? denser : layout;
}

/**
 * Where a key takes the selection: a position in the sheet, or -1 for keys that are not ours.
 * @param {string} key
 * @param {number} position
 * @param {number} count
 * @param {number} columns
 */
export function walkSheet(key, position, count, columns) {
  /** @type {Record<string, number>} */
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -5 * columns,
    PageDown: 5 * columns,
  };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in steps)) return -1;
  const next = position + steps[key];
  if (next >= 0 && next < count) return next;
  // Up from the first row and down from the last stay; a page goes as far as it can.
  if (key.startsWith("Page")) return next < 0 ? 0 : count - 1;
  return position;
}

/**
 * @param {any} model an ActivationMap's
 * @param {AbortSignal} signal
 */
export function channelSheet(model, signal) {
  const canvas = element("canvas", { class: "rw-cells" });
  const here = element("div", {
    class: "rw-tile-here",
    role: "option",
    "aria-selected": "true",
    id: `rw-${Math.random().toString(36).slice(2)}`,
  });
  const over = element("div", { class: "rw-tile-over", hidden: true });
  const space = element("div", { class: "rw-sheet-space" }, canvas, over, here);
  const sheet = element(
    "div",
    { class: "rw-sheet", tabindex: 0, role: "listbox", "aria-activedescendant": here.id },
    space,
  );
  const tip = element("div", { class: "rw-chip rw-tip", hidden: true });
  const node = element("div", { class: "rw-sheet-frame" }, sheet, tip);

  /** @type {import("./frame_store.js").Frame | null} */
  let frame = null;
  /** @type {number[]} channel at each position */
  let order = [];
  let layout = sheetLayout(0, 1, 1);
  let width = 0;

  const rectOf = (/** @type {number} */ position) => ({
    x: Math.round((position % layout.columns) * layout.pitch),
    y: Math.floor(position / layout.columns) * (layout.tileHeight + GAP),
  });

  const paint = oncePerFrame(() => {
    if (!frame || !width) return;
    order = channelOrder(frame.strength, model.get("order"));
    layout = sheetLayout(frame.channels, width, frame.height / frame.width);
    const ratio = devicePixelRatio;
    const zoom = width * layout.height * ratio * ratio <= MOST_PIXELS ? ratio : 1;
    const px = (/** @type {number} */ length) => Math.round(length * zoom);
    canvas.style.width = `${width}px`;
    canvas.style.height = space.style.height = `${layout.height}px`;
    canvas.width = px(width);
    canvas.height = px(layout.height);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const choice = rangeChoice(model);
    const ends = rangeEnds(frame, choice.clip);
    const table = colormapTable(colormapName(model.get("colormap"), choice.symmetric));
    const colors = new Uint32Array(256);
    // Rounded down, so that no tile reaches beyond the sheet.
    const columns = cellSpans(frame.width, Math.floor(layout.tileWidth * zoom));
    const rows = cellSpans(frame.height, Math.floor(layout.tileHeight * zoom));
    for (let position = 0; position < order.length; position++) {
      const channel = order[position];
      const range = colorRange(ends, channel, choice);
      channelColors(table, frame.low[channel], frame.high[channel], range, colors);
      const { x, y } = rectOf(position);
      const plane = frame.plane(channel);
      paintTile(pixels, canvas.width, px(x), px(y), columns, rows, plane, frame.width, colors);
    }
    context.putImageData(image, 0, 0);
    canvas.dataset.shown = frame.layer;
    sheet.setAttribute("aria-label", `All ${frame.channels} channels of ${frame.layer}`);
    over.hidden = tip.hidden = true;
    place();
  }, signal);

  function name(/** @type {number} */ channel) {
    return frame ? `ch ${channel} · strength ${formatShort(frame.strength[channel])}` : "";
  }

  function put(/** @type {HTMLElement} */ box, /** @type {number} */ position) {
    const { x, y } = rectOf(position);
    box.style.transform = `translate(${x}px, ${y}px)`;
    box.style.width = `${layout.tileWidth}px`;
    box.style.height = `${layout.tileHeight}px`;
  }

  /** Frames the selected tile, and scrolls to it within the sheet, never the page. */
  function place() {
    if (!frame) return;
    const channel = Math.min(model.get("channel"), frame.channels - 1);
    const position = order.indexOf(channel);
    if (position < 0) return;
    put(here, position);
    here.setAttribute("aria-label", name(channel));
    here.setAttribute("aria-posinset", String(position + 1));
    here.setAttribute("aria-setsize", String(frame.channels));
    const { y } = rectOf(position);
    if (y < sheet.scrollTop) sheet.scrollTop = y - GAP;
    const below = y + layout.tileHeight - sheet.clientHeight;
    if (below > sheet.scrollTop) sheet.scrollTop = below + GAP;
  }

  /** The position under the pointer, or -1. */
  function positionAt(/** @type {PointerEvent | MouseEvent} */ event) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / layout.pitch);
    const row = Math.floor((event.clientY - box.top) / (layout.tileHeight + GAP));
    const position = row * layout.columns + column;
    const inside = column >= 0 && column < layout.columns && row >= 0;
    return inside && position < order.length ? position : -1;
  }

  function hover(/** @type {PointerEvent} */ event) {
    const position = positionAt(event);
    over.hidden = tip.hidden = position < 0;
    if (position < 0) return;
    put(over, position);
    tip.textContent = name(order[position]);
    const { x, y } = rectOf(position);
    const top = y - sheet.scrollTop;
    const above = top - tip.offsetHeight - 4;
    tip.style.left = `${Math.max(0, Math.min(x, width - tip.offsetWidth))}px`;
    tip.style.top = `${above >= -tip.offsetHeight ? above : top + layout.tileHeight + 4}px`;
  }

  sheet.addEventListener("pointermove", hover, { signal });
  sheet.addEventListener(
    "pointerleave",
    () => {
      over.hidden = tip.hidden = true;
    },
    { signal },
  );
  sheet.addEventListener(
    "click",
    (event) => {
      const position = positionAt(event);
      if (position >= 0) setTrait(model, "channel", order[position]);
    },
    { signal },
  );
  sheet.addEventListener(
    "keydown",
    (event) => {
      if (!order.length || event.altKey || event.ctrlKey || event.metaKey) return;
      const from = order.indexOf(Math.min(model.get("channel"), order.length - 1));
      const position = walkSheet(event.key, from, order.length, layout.columns);
      if (position < 0) return;
      event.preventDefault();
      setTrait(model, "channel", order[position]);
    },
    { signal },
  );
  onChange(model, ["order", "colormap", ...RANGE_TRAITS], paint, signal);
  onChange(model, ["channel"], place, signal);
  const resized = new ResizeObserver(() => {
    if (sheet.clientWidth && sheet.clientWidth !== width) {
      width = sheet.clientWidth;
      paint();
    }
  });
  resized.observe(sheet);
  signal.addEventListener("abort", () => resized.disconnect());

  return {
    node,
    /** @param {import("./frame_store.js").Frame} next */
    show(next) {
      frame = next;
      paint();
    },
  };
}
