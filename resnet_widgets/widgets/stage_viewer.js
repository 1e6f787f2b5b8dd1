// Layers side by side. What a column shows is bound here, in the page, to the viewer's traits.

import { giveTrait } from "./bound_traits.js";
import { cursorCells, readingValue } from "./cursor.js";
import { exactReader } from "./exact_reader.js";
import { RANGE_TRAITS } from "./ranges.js";
import { handWins, setTraits } from "./saving.js";
import {
  becomeRoot,
  change,
  element,
  errorLine,
  followFrame,
  formatShape,
  onChange,
  oncePerFrame,
  setTrait,
} from "./shared.js";

/**
 * What the columns are called: the stage where that tells them apart, else the layer.
 * @param {string[]} layers paths
 */
export function columnNames(layers) {
  const names = layers.map((layer) => layer.slice(layer.lastIndexOf("/") + 1));
  const stages = names.map((name) => name.split("_")[0]);
  return new Set(stages).size === stages.length ? stages : names;
}

const FOR_ALL = ["photo", ...RANGE_TRAITS, "colormap", "cursor", "region"];

/** Most columns, as in `stage_viewer.py`. */
const MOST = 12;

/** @typedef {{ layers: string[], channels: number[] }} Columns */

/**
 * Columns with one more at the end.
 * @param {Columns} columns
 * @param {string} layer
 * @param {number} channel
 * @returns {Columns}
 */
export function withColumn({ layers, channels }, layer, channel) {
  return { layers: [...layers, layer], channels: [...channels, channel] };
}

/**
 * @param {Columns} columns
 * @param {number} index
 * @returns {Columns}
 */
export function withoutColumn({ layers, channels }, index) {
  const others = (/** @type {any[]} */ list) => list.filter((_, i) => i !== index);
  return { layers: others(layers), channels: others(channels) };
}

/**
 * Columns with one of them `by` places further to the right, as far as there are any.
 * @param {Columns} columns
 * @param {number} index
 * @param {number} by
 * @returns {Columns}
 */
export function withMoved({ layers, channels }, index, by) {
  const to = Math.max(0, Math.min(layers.length - 1, index + by));
  const move = (/** @type {any[]} */ list) => {
    const others = list.filter((_, i) => i !== index);
    return [...others.slice(0, to), list[index], ...others.slice(to)];
  };
  return { layers: move(layers), channels: move(channels) };
}

/** @returns {Columns} with a channel for each layer */
function columnsOf(/** @type {any} */ model) {
  const layers = /** @type {string[]} */ (model.get("layers"));
  return { layers, channels: layers.map((_, i) => model.get("channels")[i] ?? 0) };
}

/**
 * @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context
 * @param {number} index
 */
async function fillColumn({ model, el, signal, host }, index) {
  const [mapRef, sliderRef] = [model.get("maps")[index], model.get("sliders")[index]];
  const [map, slider] = await Promise.all([host.getModel(mapRef), host.getModel(sliderRef)]);
  // The column may have been taken away meanwhile.
  if (signal.aborted) return;
  const mapBox = element("div");
  const sliderBox = element("div");
  const name = element("b");
  const fact = element("span", { class: "rw-stage-fact" });
  const channel = element("span");
  const caption = element("button", { type: "button", class: "rw-stage-name" }, name);
  const [before, after, remove] = ["←", "→", "×"].map((text) =>
    element("button", { type: "button", class: "rw-quiet", text }),
  );
  el.append(
    element(
      "div",
      { class: "rw-stage-head" },
      caption,
      element("span", { class: "rw-stage-tools" }, before, after, remove),
    ),
    mapBox,
    element("div", { class: "rw-stage-foot" }, fact, channel),
    sliderBox,
  );
  const layer = () => model.get("layers")[index] ?? "";

  /** @type {import("./frame.js").Frame | null} */
  let frame = null;
  let photo = "";
  const exact = exactReader("cells", describe, signal);

  function share() {
    for (const trait of FOR_ALL) giveTrait(map, trait, model.get(trait));
    giveTrait(map, "layer", layer());
    giveTrait(map, "outline", model.get("outlines")[index] ?? []);
    giveTrait(map, "channel", model.get("channels")[index] ?? 0);
    giveTrait(slider, "photo", model.get("photo"));
    giveTrait(slider, "layer", layer());
    giveTrait(slider, "value", model.get("channels")[index] ?? 0);
    describe();
  }

  function describe() {
    const shown = frame ? Math.min(map.get("channel"), frame.channels - 1) : map.get("channel");
    const called = columnNames(model.get("layers"))[index] ?? "";
    change(name, { text: called });
    change(channel, { text: `ch ${shown}` });
    const at = model.get("cursor");
    const block =
      frame && at.length === 4 && !frame.isVector
        ? cursorCells(at, frame.width, frame.height)
        : null;
    if (frame && block) {
      const vector = exact.ask(photo, frame.layer, block);
      const value = readingValue(frame, shown, block, vector);
      change(fact, { text: value, title: value });
    } else change(fact, { text: frame ? formatShape(frame.shape) : "", title: null });
    change(caption, {
      title: `Select ${layer()}, channel ${shown}`,
      "aria-pressed": String(model.get("selected") === layer()),
    });
    const count = model.get("layers").length;
    label(before, `Move ${called} to the left`, index === 0);
    label(after, `Move ${called} to the right`, index >= count - 1);
    label(remove, `Remove ${called}`, false);
  }

  function setChannel(/** @type {number} */ value) {
    const { channels } = columnsOf(model);
    channels[index] = value;
    setTrait(model, "channels", channels);
  }

  /** Moves the column, and with it the hand that does it. */
  function move(/** @type {number} */ by) {
    setTraits(model, withMoved(columnsOf(model), index, by));
    const next = el.parentElement?.children[index + by];
    const button = next?.querySelectorAll("button")[by < 0 ? 1 : 2];
    // At the end of the row the button that was pressed can do no more.
    if (button?.disabled) next?.querySelector("button")?.focus();
    else button?.focus();
  }

  share();
  onChange(model, [...FOR_ALL, "layers", "channels", "outlines"], share, signal);
  onChange(model, ["selected"], describe, signal);
  onChange(map, ["channel"], () => setChannel(map.get("channel")), signal);
  onChange(slider, ["value"], () => setChannel(slider.get("value")), signal);
  for (const trait of ["cursor", "region"]) {
    onChange(map, [trait], () => setTrait(model, trait, map.get(trait)), signal);
  }
  caption.addEventListener(
    "click",
    () => setTraits(model, { selected: layer(), channel: columnsOf(model).channels[index] }),
    { signal },
  );
  before.addEventListener("click", () => move(-1), { signal });
  after.addEventListener("click", () => move(1), { signal });
  remove.addEventListener(
    "click",
    () => {
      const neighbour = el.nextElementSibling ? el : el.previousElementSibling;
      const target = neighbour ?? el.closest(".rw-stages");
      target?.querySelector("button")?.focus();
      setTraits(model, withoutColumn(columnsOf(model), index));
    },
    { signal },
  );

  await followFrame({ model: map, host, signal }, (now) => {
    frame = now.state === "ready" ? now.frame : null;
    if (now.state === "ready") {
      photo = now.photo;
      exact.from(now.store);
    }
    describe();
  });
  await (await host.getWidget(mapRef)).render({ el: mapBox, signal });
  await (await host.getWidget(sliderRef)).render({ el: sliderBox, signal });
}

/** Names a button, and says whether it has anything to do. */
function label(
  /** @type {HTMLButtonElement} */ button,
  /** @type {string} */ text,
  /** @type {boolean} */ disabled,
) {
  change(button, { title: text, "aria-label": text, disabled });
}

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context */
async function renderStages({ model, el, signal, host }) {
  becomeRoot(el, signal);
  handWins(model, ["layers", "channels"], signal);
  el.classList.add("rw-stages");
  const columns = element("div", { class: "rw-stage-columns" });
  const empty = element("div", {
    class: "rw-empty",
    text: "No layers to compare. Select one, then add it as a column.",
  });
  const add = element("button", { type: "button", class: "rw-quiet rw-stage-add" });
  const title = element(
    "div",
    { class: "rw-title" },
    element("span", { text: "Layers side by side" }),
    add,
  );
  el.append(title, errorLine(model, signal), columns, empty);

  /** What the button adds: the layer now selected, else once more the last one. */
  const nextLayer = () => model.get("selected") || model.get("layers").at(-1) || "";

  function offer() {
    const [layer, count] = [nextLayer(), model.get("layers").length];
    add.textContent = "+ column";
    if (count >= MOST) label(add, `There is room for ${MOST} columns: remove one first`, true);
    else if (layer && host.saved && !host.saved.has(layer))
      label(add, `${layer} is not in this page`, true);
    else label(add, layer ? `Add ${layer} as a column` : "Select a layer to add it", !layer);
  }
  add.addEventListener(
    "click",
    () => {
      const now = columnsOf(model);
      const layer = nextLayer();
      const channel = model.get("selected") ? model.get("channel") : (now.channels.at(-1) ?? 0);
      setTraits(model, withColumn(now, layer, channel));
    },
    { signal },
  );
  onChange(model, ["selected", "layers"], offer, signal);
  offer();

  /** @type {{ key: string, box: HTMLElement, ends: AbortController }[]} */
  let built = [];

  /** Builds the columns whose widgets are new and leaves the others, with the hand in them, alone. */
  async function rebuild() {
    const sliders = /** @type {string[]} */ (model.get("sliders"));
    const keys = /** @type {string[]} */ (model.get("maps"))
      .slice(0, sliders.length)
      .map((map, i) => `${map} ${sliders[i]}`);
    const same = built.findIndex(({ key }, i) => key !== keys[i]);
    const kept = same < 0 ? built : built.slice(0, same);
    for (const { box, ends } of built.slice(kept.length)) {
      ends.abort();
      box.remove();
    }
    const fresh = keys.slice(kept.length).map((key) => ({
      key,
      box: element("div", { class: "rw-stage" }),
      ends: new AbortController(),
    }));
    built = [...kept, ...fresh];
    columns.style.setProperty("--rw-columns", String(Math.max(1, built.length)));
    columns.append(...fresh.map(({ box }) => box));
    columns.hidden = built.length === 0;
    empty.hidden = built.length > 0;
    await Promise.all(
      fresh.map(({ box, ends }, i) => {
        const mine = AbortSignal.any([signal, ends.signal]);
        return fillColumn({ model, el: box, signal: mine, host }, kept.length + i);
      }),
    );
  }

  // Maps and sliders change together.
  const soon = oncePerFrame(rebuild, signal);
  onChange(model, ["maps", "sliders"], soon, signal);
  await rebuild();
}

export default { render: renderStages };
