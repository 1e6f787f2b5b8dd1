// Two photos through the same layer and channel, and the difference of the two maps.

import { channelPicture } from "./channel_picture.js";
import { colormapName } from "./colors.js";
import { blockValue, cursorCells, formatExact } from "./cursor.js";
import { derivedModel } from "./derived_model.js";
import { exactReader } from "./exact_reader.js";
import { changeAndHandOn } from "./focus.js";
import { photoThumb } from "./photo_thumb.js";
import { rangeLegend } from "./range_legend.js";
import { colorRange, RANGE_TRAITS, rangeChoice, rangeEnds, TOP_CODE } from "./ranges.js";
import { change, element, followFrame, formatNumber, onChange } from "./shared.js";

/** @typedef {import("./frame.js").Frame} Frame */

/** Code of zero in a frame that reaches as far below it as above. */
const ZERO = TOP_CODE / 2;

/**
 * One channel of a frame minus that of another, as a frame of one channel around zero. Its bytes are
 * for the eye; `value` subtracts what the two frames say.
 * @param {Frame} a
 * @param {Frame} b of the same layer
 * @param {number} channel
 * @returns {any} with what a view needs of a `Frame`
 */
export function differenceFrame(a, b, channel) {
  const { width, height, columns, rows, reduction } = a;
  const values = new Float64Array(columns * rows);
  let [reach, sum, zeros, finite] = [0, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [reduction * Math.floor(i / columns), reduction * (i % columns)];
    values[i] = a.value(channel, row, column) - b.value(channel, row, column);
    if (!Number.isFinite(values[i])) continue;
    reach = Math.max(reach, Math.abs(values[i]));
    sum += values[i];
    zeros += Number(values[i] === 0);
    finite++;
  }
  const plane = Uint8Array.from(values, (value) => {
    if (Number.isNaN(value)) return 255;
    if (!Number.isFinite(value)) return value < 0 ? 253 : 254;
    return reach ? Math.round(ZERO + (value / reach) * ZERO) : 0;
  });
  const title = `first − second of ${a.layer}, channel ${channel}`;
  const same = finite === values.length ? "no difference" : "no difference where both are finite";
  // A channel that is the same twice has, like any constant one, no code but 0.
  return {
    title,
    note: reach === 0 && finite ? same : "",
    layer: title,
    shape: [height, width, 1],
    channels: 1,
    width,
    height,
    columns,
    rows,
    reduction,
    isVector: false,
    muted: [],
    low: Float32Array.of(finite ? -reach : NaN),
    high: Float32Array.of(finite ? reach : NaN),
    strength: Float32Array.of(finite ? sum / finite : NaN),
    zeros: Float32Array.of(finite ? zeros / finite : 0),
    plane: () => plane,
    recall: (/** @type {string} */ _name, /** @type {unknown} */ _of, /** @type {any} */ make) =>
      make(),
    value: (/** @type {number} */ _, /** @type {number} */ row, /** @type {number} */ column) =>
      values[Math.floor(row / reduction) * columns + Math.floor(column / reduction)],
  };
}

/**
 * The smallest range around two others; `[]` if neither is one.
 * @param {[number, number]} one
 * @param {[number, number]} other
 */
export function commonRange(one, other) {
  const ends = [...one, ...other].filter(Number.isFinite);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  return low < high ? [low, high] : [];
}

/**
 * @param {object} options
 * @param {any} options.model the explorer's
 * @param {any} options.map the model of its ActivationMap
 * @param {HTMLElement} options.controls picker of the second photo
 * @param {any} options.host
 * @param {AbortSignal} options.signal
 */
export function compareView({ model, map, controls, host, signal }) {
  const swap = element("button", { type: "button", text: "⇄ Swap", title: "Swap the two photos" });
  const remove = element("button", {
    type: "button",
    text: "Remove",
    title: "Remove the second photo",
  });
  const empty = element("div", { class: "rw-empty rw-compare-empty" });
  empty.textContent = host.saved
    ? "To compare another photo with this one you need the notebook this page came from."
    : "Choose or drop a second photo here to see both through this layer and channel, and what differs. " +
      "Two layers of one photo stand side by side above.";
  const status = element("div", { class: "rw-empty", hidden: true });
  const columns = element("div", { class: "rw-compare-columns", hidden: true });
  const node = element(
    "section",
    { class: "rw-compare", "aria-label": "Compare two photos" },
    element(
      "div",
      { class: "rw-title rw-compare-title" },
      element("span", { text: "Compare two photos" }),
      element("span", { class: "rw-compare-controls" }, controls, swap, remove),
    ),
    empty,
    status,
    columns,
  );

  const thumb = (/** @type {string} */ photo, /** @type {string} */ picture) =>
    // The view of the first photo asks for that one.
    photoThumb({ model, photo, picture, asks: photo !== "photo", signal });
  const first = makeColumn({ photo: "", layer: "", limits: [] }, thumb("photo", "picture"));
  const second = makeColumn(
    { photo: "", layer: "", limits: [] },
    thumb("compare_photo", "compare_picture"),
  );
  const both = makeColumn({ limits: [], channel: 0, colormap: "coolwarm" });
  columns.append(first.node, second.node, both.node);

  function makeColumn(/** @type {Record<string, unknown>} */ own, /** @type {Node[]} */ ...before) {
    const view = derivedModel(map, own);
    const picture = channelPicture(view, signal);
    const name = element("b");
    const reading = element("span", { class: "rw-compare-reading" });
    const legend = rangeLegend();
    const node = element(
      "div",
      { class: "rw-compare-column" },
      picture.node,
      element(
        "div",
        { class: "rw-compare-caption" },
        ...before,
        element("div", { class: "rw-compare-name" }, name, reading),
      ),
      legend.node,
    );
    const exact = exactReader("cells", read, signal);
    const channelOf = (/** @type {Frame} */ frame) =>
      Math.min(view.get("channel"), frame.channels - 1);
    return {
      node,
      view,
      now: /** @type {import("./shared.js").FrameState} */ ({ state: "empty" }),

      /** @param {Frame} frame @param {number[]} range @param {string} title */
      show(frame, range, title) {
        view.set("limits", range);
        picture.show(frame);
        name.textContent = name.title = title;
        const channel = channelOf(frame);
        legend.show(
          colormapName(view.get("colormap"), view.get("symmetric")),
          range.length ? range : [frame.low[channel], frame.high[channel]],
        );
      },

      /** Exact numbers come from where the frame does. */
      take(/** @type {import("./shared.js").FrameState} */ now) {
        this.now = now;
        if (now.state === "ready") exact.from(now.store);
      },

      /**
       * Shows the number under the cursor.
       * @param {Frame | null} frame
       * @param {number} [known] the exact number, if it is not of this frame
       * @returns {number | undefined} the exact number
       */
      read(frame, known) {
        const cursor = map.get("cursor");
        reading.textContent = "";
        if (!frame || cursor.length !== 4) return undefined;
        const block = cursorCells(cursor, frame.width, frame.height);
        const channel = channelOf(frame);
        const photo = this.now.state === "ready" ? this.now.photo : "";
        const number = known ?? exact.ask(photo, frame.layer, block)?.[channel];
        reading.textContent =
          number === undefined
            ? `≈ ${formatNumber(blockValue(frame, channel, block))}`
            : `= ${formatExact(number)}`;
        return number;
      },
    };
  }

  /** @type {any} */
  let difference = null;
  const frameOf = (/** @type {typeof first} */ { now }) =>
    now.state === "ready" ? now.frame : null;

  function draw() {
    const has = model.get("compare_photo") !== "";
    const [a, b] = [frameOf(first), frameOf(second)];
    const busy = has && [first, second].some(({ now }) => now.state === "busy");
    node.classList.toggle("rw-busy", busy);
    change(empty, { hidden: has });
    for (const button of [swap, remove])
      changeAndHandOn(button, { hidden: !has || Boolean(host.saved) });
    // What is on screen stays until there is something of both photos to take its place.
    if (busy && !columns.hidden) return;
    change(columns, { hidden: !has || !a || !b || a.isVector });
    change(status, { text: why(a), hidden: !has || !columns.hidden });
    difference = null;
    if (columns.hidden || !a || !b) return;
    const channel = Math.min(map.get("channel"), a.channels - 1);
    const choice = rangeChoice(map);
    const ranges = [a, b].map((frame) =>
      colorRange(rangeEnds(frame, choice.clip), channel, choice),
    );
    difference = differenceFrame(a, b, channel);
    const reach = difference.high[0] || 1;
    const range = commonRange(ranges[0], ranges[1]);
    first.show(a, range, model.get("picture").name ?? "");
    second.show(b, range, model.get("compare_picture").name ?? "");
    both.show(difference, [-reach, reach], "first − second");
    read();
  }

  /** What to say in place of the maps. */
  function why(/** @type {Frame | null} */ a) {
    for (const { now } of [first, second]) if (now.state === "error") return now.message;
    if (a?.isVector) return "This layer has one number a channel: choose one with a map.";
    return "Computing…";
  }

  function read() {
    const [a, b] = [first, second].map((column) => column.read(frameOf(column)));
    both.read(difference, a === undefined || b === undefined ? undefined : Math.fround(a - b));
  }

  function follow() {
    const has = model.get("compare_photo") !== "";
    for (const { view } of [first, second]) view.set("layer", has ? map.get("layer") : "");
    first.view.set("photo", map.get("photo"));
    second.view.set("photo", model.get("compare_photo"));
    draw();
  }

  follow();
  for (const column of [first, second]) {
    followFrame({ model: column.view, host, signal }, (now) => {
      column.take(now);
      draw();
    });
  }
  swap.addEventListener("click", () => model.send({ kind: "swap" }), { signal });
  remove.addEventListener("click", () => model.send({ kind: "remove" }), { signal });
  onChange(model, ["compare_photo", "compare_picture", "picture"], follow, signal);
  onChange(map, ["photo", "layer"], follow, signal);
  onChange(map, ["channel", "colormap", ...RANGE_TRAITS], draw, signal);
  onChange(map, ["cursor"], read, signal);
  return node;
}
