// Cells that are pinned: their marks on the map, and the numbers of all channels at each of them.

import { channelTrack } from "./channel_track.js";
import { blockValue, cursorCells, placeBox, placeOf, readingValue } from "./cursor.js";
import { exactReader } from "./exact_reader.js";
import { changeAndHandOn } from "./focus.js";
import { visibleChannels } from "./orders.js";
import { change, element, onChange, setTrait } from "./shared.js";

const MOST_PINS = 6;

const samePin = (/** @type {number[]} */ one, /** @type {number[]} */ other) =>
  one.every((edge, i) => Math.abs(edge - other[i]) < 1e-6);

/**
 * The pins with one more, or without it if it is there; of too many the oldest goes.
 * @param {number[][]} pins
 * @param {number[]} pin
 */
export function toggledPins(pins, pin) {
  const rest = pins.filter((one) => !samePin(one, pin));
  return rest.length < pins.length ? rest : [...rest, pin].slice(-MOST_PINS);
}

/** Sets the trait `pins`. */
export function togglePin(/** @type {any} */ model, /** @type {number[]} */ pin) {
  setTrait(model, "pins", toggledPins(model.get("pins"), pin));
}

/** Takes the pin at a place away; the newest where there is none. */
export function unpin(/** @type {any} */ model, /** @type {number[]} */ at) {
  const pins = /** @type {number[][]} */ (model.get("pins"));
  const here = at.length === 4 ? pins.find((pin) => samePin(pin, at)) : undefined;
  const gone = here ?? pins.at(-1);
  if (gone) togglePin(model, gone);
  return Boolean(gone);
}

/**
 * Numbered boxes over a map, one a pin.
 * @param {HTMLElement} area
 * @param {any} model
 * @param {AbortSignal} signal
 */
export function pinMarks(area, model, signal) {
  const layer = element("div", { "aria-hidden": "true" });
  area.append(layer);
  const show = () => {
    const pins = /** @type {number[][]} */ (model.get("pins"));
    layer.replaceChildren(
      ...pins.map((pin, i) => {
        const box = element("div", { class: "rw-pin" }, element("b", { text: i + 1 }));
        placeBox(box, pin);
        return box;
      }),
    );
  };
  onChange(model, ["pins"], show, signal);
  show();
}

/**
 * A row for each pin: where it is, its number in the channel shown, and the bars of all channels, in
 * the order of the slider; a bar leads to its channel.
 * @param {any} model an ActivationMap's
 * @param {AbortSignal} signal
 */
export function pinPanel(model, signal) {
  const rows = element("div");
  const title = element(
    "div",
    { class: "rw-title" },
    element("span", { text: "Pinned cells" }),
    element("span", { text: "all channels, in the order of the slider" }),
  );
  const node = element("div", { class: "rw-pins", hidden: true }, title, rows);
  /** @type {import("./frame.js").Frame | null} */
  let frame = null;
  /** @type {import("./exact_reader.js").From | undefined} */
  let from;
  /** @type {{ show: () => void, end: () => void }[]} */
  const shown = [];

  function pinRow(/** @type {number} */ index) {
    const life = new AbortController();
    const mine = AbortSignal.any([signal, life.signal]);
    const track = channelTrack(mine, (channel) => setTrait(model, "channel", channel));
    const place = element("span", { class: "rw-pin-place" });
    const number = element("b", { class: "rw-pin-value" });
    const remove = element("button", { type: "button", class: "rw-small", text: "×" });
    const row = element(
      "div",
      { class: "rw-pin-row", role: "group" },
      element("span", { class: "rw-pin-number", text: index + 1, "aria-hidden": "true" }),
      element("span", { class: "rw-pin-text" }, place, number),
      track.node,
      remove,
    );
    rows.append(row);
    const pinNow = () => model.get("pins")[index];
    const exact = exactReader("cells", () => draw(), mine);
    const onKey = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Delete" && event.key !== "Backspace") return;
      event.preventDefault();
      drop();
    };
    function drop() {
      togglePin(model, pinNow());
      const next = rows.children[Math.min(index, rows.childElementCount - 1)];
      next?.querySelector("button")?.focus();
    }
    remove.addEventListener("click", drop, { signal: mine });
    row.addEventListener("keydown", onKey, { signal: mine });

    function draw() {
      if (!frame) return;
      const pin = pinNow();
      if (!pin) return;
      const block = cursorCells(pin, frame.width, frame.height);
      exact.from(from?.store);
      const vector = exact.ask(from?.photo ?? "", frame.layer, block);
      const known = frame;
      const values =
        vector ??
        Float32Array.from({ length: frame.channels }, (_, c) => blockValue(known, c, block));
      const channel = Math.min(model.get("channel"), frame.channels - 1);
      const value = readingValue(frame, channel, block, vector);
      change(place, { text: placeOf(block) });
      const title = vector ? "Exact" : "From a byte of the frame, not exact";
      change(number, { text: value, title });
      change(row, { "aria-label": `Pin ${index + 1}, ${placeOf(block)}` });
      change(remove, { "aria-label": `Unpin ${placeOf(block)}`, title: "Unpin (Delete)" });
      track.show({
        channels: visibleChannels(frame, model, channel),
        values,
        channel,
        label: `Channel at ${placeOf(block)}`,
        text: `channel ${channel}, ${value}`,
      });
    }
    return {
      show: draw,
      end() {
        life.abort();
        row.remove();
      },
    };
  }

  function show() {
    const pins = model.get("pins");
    changeAndHandOn(node, { hidden: !frame || frame.isVector || pins.length === 0 });
    for (const row of shown.splice(node.hidden ? 0 : pins.length)) row.end();
    if (node.hidden) return;
    while (shown.length < pins.length) shown.push(pinRow(shown.length));
    for (const row of shown) row.show();
  }

  onChange(model, ["pins", "channel", "order", "reference", "hide"], show, signal);
  return {
    node,
    /**
     * @param {import("./frame.js").Frame | null} next
     * @param {import("./exact_reader.js").From} [of]
     */
    show(next, of) {
      frame = next;
      from = of;
      show();
    },
  };
}
