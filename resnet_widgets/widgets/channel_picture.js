// One channel as a picture: cells, marks, and the cursor that other views share.

import { channelColors, channelMarks, colormapName, colormapTable, paintTile } from "./colors.js";
import { cursorCells, readingOf, STEPS } from "./cursor.js";
import { exactReader } from "./exact_reader.js";
import { drawMarks } from "./marks.js";
import { pinMarks, togglePin, unpin } from "./pins.js";
import { pointing } from "./pointing.js";
import { colorRange, RANGE_TRAITS, rangeChoice, rangeEnds } from "./ranges.js";
import { regionBox, traitBox } from "./region_box.js";
import { change, element, formatShort, onChange, oncePerFrame, setTrait } from "./shared.js";
import { channelNote } from "./value_panel.js";
import { reductionNote, squareSpans, wholePlanes } from "./whole_planes.js";

/**
 * @typedef {import("./frame.js").Frame & { title?: string, note?: string }} Frame `title` and `note`
 *   of one that is no activation: what it is, and what should be known of it
 */

/**
 * @param {any} model an ActivationMap's
 * @param {AbortSignal} signal
 */
export function channelPicture(model, signal) {
  const cells = element("canvas", { class: "rw-cells" });
  const marks = element("canvas", { class: "rw-marks", hidden: true });
  const cursor = element("div", { class: "rw-cursor", hidden: true });
  const note = element("div", { class: "rw-chip", hidden: true });
  const picture = element(
    "div",
    {
      class: "rw-picture",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "activation map",
    },
    cells,
    marks,
    cursor,
    note,
  );
  const reading = element("div", { class: "rw-reading", "aria-live": "polite" });

  /** @type {Frame | null} */
  let frame = null;
  /** That of the frame: the model may have the next one, whose frame is on its way. */
  let photo = "";
  let table = new Uint32Array(256);
  let tableName = "";
  const colors = new Uint32Array(256);
  /** @type {ImageData | null} */
  let image = null;

  const channelOf = (/** @type {Frame} */ of) => Math.min(model.get("channel"), of.channels - 1);

  const paint = oncePerFrame(() => {
    if (!frame) return;
    const channel = channelOf(frame);
    const [low, high] = [frame.low[channel], frame.high[channel]];
    const choice = rangeChoice(model);
    const range = colorRange(rangeEnds(frame, choice.clip), channel, choice);
    const name = colormapName(model.get("colormap"), choice.symmetric);
    if (name !== tableName) {
      table = colormapTable(name);
      tableName = name;
    }
    channelColors(table, low, high, range, colors);
    const context = /** @type {CanvasRenderingContext2D} */ (cells.getContext("2d"));
    if (image?.width !== frame.width || image.height !== frame.height) {
      cells.width = frame.width;
      cells.height = frame.height;
      picture.style.aspectRatio = `${frame.width} / ${frame.height}`;
      image = context.createImageData(frame.width, frame.height);
    }
    const pixels = new Uint32Array(image.data.buffer);
    const found = whole.of(photo, frame, channel);
    const { plane, columns, reduction } = found;
    if (reduction === 1) for (let i = 0; i < plane.length; i++) pixels[i] = colors[plane[i]];
    else {
      const spans = [frame.width, frame.height].map((size) => squareSpans(size, reduction));
      paintTile(pixels, frame.width, 0, 0, spans[0], spans[1], plane, columns, colors);
    }
    context.putImageData(image, 0, 0);
    cells.dataset.shown = `${frame.layer}#${channel}`;
    cells.dataset.reduction = String(reduction);
    cells.dispatchEvent(new CustomEvent("rw-painted", { bubbles: true, detail: image }));

    paintMarks(found, channelMarks(low, high, range));
    const said = frame.note || channelNote(frame, channel) || reductionNote(reduction);
    change(note, { text: said, hidden: !said });
    const facts = said || `from ${formatShort(low)} to ${formatShort(high)}`;
    const title = frame.title ?? `${frame.layer}, channel ${channel} of ${frame.channels}`;
    change(picture, { "aria-label": `${title}, ${facts}` });
    read();
  }, signal);

  const whole = wholePlanes(paint, signal);
  const exact = exactReader("cells", read, signal);

  /** Marks are drawn over the cells at screen resolution, because a cell may be one pixel. */
  function paintMarks(
    /** @type {import("./whole_planes.js").Cells} */ { plane, columns, reduction },
    /** @type {(import("./colors.js").Mark | "")[]} */ markOf,
  ) {
    change(marks, { hidden: !plane.some((code) => markOf[code]) });
    if (marks.hidden || !frame) return;
    marks.width = Math.round(picture.clientWidth * devicePixelRatio);
    marks.height = Math.round(picture.clientHeight * devicePixelRatio);
    const context = /** @type {CanvasRenderingContext2D} */ (marks.getContext("2d"));
    // The squares at the far edges may reach beyond them.
    const width = (marks.width * columns * reduction) / frame.width;
    const height = (marks.height * (plane.length / columns) * reduction) / frame.height;
    drawMarks(context, { x: 0, y: 0, width, height }, plane, columns, markOf, colors);
  }

  /** The cells under the cursor, or null. */
  function cursorBlock() {
    const at = model.get("cursor");
    return frame && at.length === 4 ? cursorCells(at, frame.width, frame.height) : null;
  }

  function showCursor() {
    const block = cursorBlock();
    change(cursor, { hidden: !block });
    if (!block || !frame) return;
    const [left, top, right, bottom] = block;
    cursor.style.left = `${(100 * left) / frame.width}%`;
    cursor.style.top = `${(100 * top) / frame.height}%`;
    cursor.style.width = `${(100 * (right - left)) / frame.width}%`;
    cursor.style.height = `${(100 * (bottom - top)) / frame.height}%`;
  }

  function read() {
    showCursor();
    const block = cursorBlock();
    if (!block || !frame) {
      change(reading, { text: "" });
      return;
    }
    const vector = exact.ask(photo, frame.layer, block);
    change(reading, { text: readingOf(frame, channelOf(frame), block, vector) });
  }

  /** Puts the cursor on one cell, wherever that is asked for. */
  function point(/** @type {number} */ column, /** @type {number} */ row) {
    if (!frame) return;
    const x = Math.max(0, Math.min(frame.width - 1, column));
    const y = Math.max(0, Math.min(frame.height - 1, row));
    const [w, h] = [frame.width, frame.height];
    setTrait(model, "cursor", [x / w, y / h, (x + 1) / w, (y + 1) / h]);
  }

  function follow(/** @type {MouseEvent} */ event) {
    if (!frame) return;
    const box = cells.getBoundingClientRect();
    if (!box.width) return;
    point(
      Math.floor(((event.clientX - box.left) / box.width) * frame.width),
      Math.floor(((event.clientY - box.top) / box.height) * frame.height),
    );
  }

  /** The cell under the cursor as a pin, or null. */
  function pinnedCell() {
    const block = cursorBlock();
    if (!block || !frame) return null;
    const [w, h] = [frame.width, frame.height];
    return [block[0] / w, block[1] / h, block[2] / w, block[3] / h];
  }

  function pin() {
    const cell = pinnedCell();
    if (cell) togglePin(model, cell);
  }

  function walk(/** @type {KeyboardEvent} */ event) {
    if (!frame || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = STEPS[event.key];
    if (event.key === "Escape") {
      // Without a cursor it is for whoever is around.
      if (!model.get("cursor").length) return;
      setTrait(model, "cursor", []);
    } else if (event.key === "Enter") pin();
    else if (event.key === "Delete" || event.key === "Backspace") {
      if (!unpin(model, pinnedCell() ?? [])) return;
    } else if (!step) return;
    else {
      const block = cursorBlock();
      const [x, y] = block
        ? [(block[0] + block[2] - 1) >> 1, (block[1] + block[3] - 1) >> 1]
        : [(frame.width >> 1) - step[0], (frame.height >> 1) - step[1]];
      point(x + step[0], y + step[1]);
    }
    event.preventDefault();
  }

  traitBox(picture, model, "outline", signal);
  const grid = () => /** @type {[number, number] | null} */ (frame && [frame.width, frame.height]);
  regionBox({ node: picture, model, cells: grid, signal });
  let pointed = "";
  pointing(
    picture,
    {
      point: follow,
      leave: () => setTrait(model, "cursor", []),
      press(_event, tapped) {
        // A first tap points, a second one at the same cell pins it.
        const at = String(model.get("cursor"));
        if (!tapped || at === pointed) pin();
        pointed = at;
      },
    },
    signal,
  );
  pinMarks(picture, model, signal);
  picture.addEventListener("keydown", walk, { signal });
  onChange(model, ["cursor"], read, signal);
  onChange(model, ["channel", "colormap", ...RANGE_TRAITS], paint, signal);
  const resized = new ResizeObserver(() => !marks.hidden && paint());
  resized.observe(picture);
  signal.addEventListener("abort", () => resized.disconnect());

  return {
    node: picture,
    reading,
    /**
     * @param {Frame} next
     * @param {import("./exact_reader.js").From} [from] if there are exact numbers for it
     */
    show(next, from) {
      frame = next;
      photo = from?.photo ?? "";
      whole.from(from?.store);
      exact.from(from?.store);
      paint();
    },
  };
}
