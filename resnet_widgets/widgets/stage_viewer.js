// Layers side by side. What a column shows is bound here, in the page, to the viewer's traits.

import { blockValue, cursorCells } from "./cursor.js";
import { RANGE_TRAITS } from "./ranges.js";
import {
  becomeRoot,
  element,
  errorLine,
  followFrame,
  formatNumber,
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

/**
 * Sets a trait of a child in the page only: the kernel hears from the viewer itself.
 * @param {any} child
 * @param {string} name
 * @param {unknown} value
 */
function give(child, name, value) {
  if (JSON.stringify(child.get(name)) !== JSON.stringify(value)) child.set(name, value);
}

const FOR_ALL = ["photo", ...RANGE_TRAITS, "colormap", "cursor"];

/**
 * @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context
 * @param {number} index
 */
async function fillColumn({ model, el, signal, host }, index) {
  const [mapRef, sliderRef] = [model.get("maps")[index], model.get("sliders")[index]];
  const [map, slider] = await Promise.all([host.getModel(mapRef), host.getModel(sliderRef)]);
  const mapBox = element("div");
  const sliderBox = element("div");
  const name = element("b");
  const fact = element("span", { class: "rw-stage-fact" });
  const channel = element("span");
  const caption = element(
    "button",
    { type: "button", class: "rw-stage-name" },
    name,
    fact,
    channel,
  );
  el.append(mapBox, caption, sliderBox);
  const layer = () => model.get("layers")[index] ?? "";

  /** @type {import("./frame_store.js").Frame | null} */
  let frame = null;

  function share() {
    for (const trait of FOR_ALL) give(map, trait, model.get(trait));
    give(map, "layer", layer());
    give(map, "channel", model.get("channels")[index] ?? 0);
    give(slider, "photo", model.get("photo"));
    give(slider, "layer", layer());
    give(slider, "value", model.get("channels")[index] ?? 0);
    describe();
  }

  function describe() {
    const shown = frame ? Math.min(map.get("channel"), frame.channels - 1) : map.get("channel");
    name.textContent = columnNames(model.get("layers"))[index] ?? "";
    channel.textContent = `ch ${shown}`;
    const at = model.get("cursor");
    const reading =
      frame && at.length === 4 && !frame.isVector
        ? `≈ ${formatNumber(blockValue(frame, shown, cursorCells(at, frame.width, frame.height)))}`
        : "";
    fact.textContent = reading || (frame ? formatShape(frame.shape) : "");
    caption.title = `Select ${layer()}`;
    caption.setAttribute("aria-pressed", String(model.get("selected") === layer()));
  }

  function setChannel(/** @type {number} */ value) {
    const channels = model
      .get("layers")
      .map((/** @type {string} */ _, /** @type {number} */ i) =>
        i === index ? value : (model.get("channels")[i] ?? 0),
      );
    setTrait(model, "channels", channels);
  }

  share();
  onChange(model, [...FOR_ALL, "layers", "channels"], share, signal);
  onChange(model, ["selected"], describe, signal);
  onChange(map, ["channel"], () => setChannel(map.get("channel")), signal);
  onChange(slider, ["value"], () => setChannel(slider.get("value")), signal);
  onChange(map, ["cursor"], () => setTrait(model, "cursor", map.get("cursor")), signal);
  caption.addEventListener("click", () => setTrait(model, "selected", layer()), { signal });

  await followFrame({ model: map, host, signal }, (now) => {
    frame = now.state === "ready" ? now.frame : null;
    describe();
  });
  await (await host.getWidget(mapRef)).render({ el: mapBox, signal });
  await (await host.getWidget(sliderRef)).render({ el: sliderBox, signal });
}

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context */
async function renderStages({ model, el, signal, host }) {
  becomeRoot(el, signal);
  el.classList.add("rw-stages");
  const columns = element("div", { class: "rw-stage-columns" });
  const empty = element("div", { class: "rw-empty", text: "No layers to compare" });
  const title = element(
    "div",
    { class: "rw-title" },
    element("span", { text: "Stages side by side" }),
    element("span", { text: "cursor linked" }),
  );
  el.append(title, errorLine(model, signal), columns, empty);

  let build = new AbortController();

  async function rebuild() {
    build.abort();
    build = new AbortController();
    const mine = AbortSignal.any([signal, build.signal]);
    const count = Math.min(model.get("maps").length, model.get("sliders").length);
    const boxes = Array.from({ length: count }, () => element("div", { class: "rw-stage" }));
    columns.style.setProperty("--rw-columns", String(Math.max(1, count)));
    columns.replaceChildren(...boxes);
    empty.hidden = count > 0;
    await Promise.all(boxes.map((box, i) => fillColumn({ model, el: box, signal: mine, host }, i)));
  }

  // Maps and sliders change together.
  const soon = oncePerFrame(rebuild, signal);
  onChange(model, ["maps", "sliders"], soon, signal);
  await rebuild();
}

export default { render: renderStages };
