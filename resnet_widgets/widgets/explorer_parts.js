// The parts of the explorer around its maps: header, waiting card, predictions, footer.

import { changeAndHandOn } from "./focus.js";
import { change, element, formatShare, onChange, setTrait } from "./shared.js";

const MIB = 2 ** 20;

/** Turns an attribute from "false" to "true" and back. */
export function toggle(/** @type {HTMLElement} */ node, /** @type {string} */ name) {
  const on = node.getAttribute(name) !== "true";
  node.setAttribute(name, String(on));
  return on;
}

/** A part with a title line. */
export function titled(
  /** @type {Node} */ left,
  /** @type {Node} */ right,
  /** @type {Node[]} */ ...content
) {
  return element("div", {}, element("div", { class: "rw-title" }, left, right), ...content);
}

/** @param {any} model @param {AbortSignal} signal */
export function headerOf(model, signal) {
  const name = element("b", { class: "rw-explorer-name" });
  const crop = element("button", { type: "button", class: "rw-pill", "aria-pressed": "false" });
  const title = element("span", { class: "rw-pill" });
  const note = element("button", {
    type: "button",
    class: "rw-pill rw-pill-note",
    "aria-expanded": "false",
    title: "What this is about",
  });
  const bytes = element("span");
  const meter = element("meter", { min: 0, max: 1, "aria-label": "Cache in use" });
  const memory = element("span", { class: "rw-memory" }, bytes, meter);
  const status = element("span", { class: "rw-explorer-status", role: "status" });
  const picker = element("span");
  const help = element("button", {
    type: "button",
    text: "?",
    "aria-label": "Help: keys",
    "aria-expanded": "false",
  });
  const node = element(
    "div",
    { class: "rw-explorer-header" },
    name,
    crop,
    title,
    note,
    status,
    element("span", { class: "rw-explorer-tools" }, memory, picker, help),
  );
  function show() {
    const about = model.get("about");
    const picture = model.get("picture");
    const used = model.get("memory");
    name.textContent = name.title = picture.name ?? "";
    name.hidden = crop.hidden = !picture.name;
    if (picture.name && about.size) {
      const [height, width] = about.size;
      const text = width === height ? `${width}² crop` : `${width} × ${height} crop`;
      crop.textContent = text;
      const of = `${picture.size[1]} × ${picture.size[0]} px`;
      crop.title = [`Shows the whole photo, ${of}, and the part used`, ...picture.notes].join("\n");
    }
    title.textContent = about.title ?? "";
    title.hidden = !about.title;
    // The first words are enough to know; all of it comes with a click.
    note.textContent = (about.note ?? "").split(/[,.:] /)[0];
    note.hidden = !about.note;
    memory.hidden = used.nbytes === undefined;
    if (!memory.hidden) {
      const [now, most] = [used.nbytes, used.max_bytes].map((n) => Math.round(n / MIB));
      bytes.textContent = `cache ${now} / ${most} MiB`;
      meter.value = used.max_bytes ? used.nbytes / used.max_bytes : 0;
    }
    status.textContent = model.get("photo") ? model.get("status") : "";
  }
  onChange(model, ["about", "picture", "memory", "status", "photo"], show, signal);
  show();
  return { node, crop, note, picker, help };
}

/** What shows while there is nothing to explore: what is going on, how far, and a way out. */
export function waitingCard(/** @type {any} */ model, /** @type {AbortSignal} */ signal) {
  const text = element("p", { role: "status" });
  const bar = element("progress", { max: 1, "aria-label": "Progress" });
  const button = element("button", { type: "button" });
  const node = element("div", { class: "rw-empty rw-explorer-waiting" }, text, bar, button);
  function show() {
    const stopped = model.get("stopped");
    text.textContent = stopped ? "No model was loaded." : model.get("status");
    const share = model.get("progress");
    if (share >= 0) bar.value = share;
    else bar.removeAttribute("value");
    bar.hidden = stopped;
    button.textContent = stopped ? "Try again" : "Cancel";
  }
  const act = () => model.send({ kind: model.get("stopped") ? "retry" : "cancel" });
  button.addEventListener("click", act, { signal });
  onChange(model, ["status", "progress", "stopped"], show, signal);
  show();
  return node;
}

/**
 * @param {object} options
 * @param {any} options.model the explorer's
 * @param {any} options.why the model of its ExplainPanel
 * @param {any} options.host
 * @param {AbortSignal} options.signal
 */
export function predictionList({ model, why, host, signal }) {
  const list = element("ol", { class: "rw-predictions" });
  const count = element("span");
  const undo = element("button", { type: "button", class: "rw-quiet", text: "undo" });
  // In a saved page nobody can compute what the network says without them.
  undo.hidden = Boolean(host.saved);
  const edited = element("span", { class: "rw-predictions-edited", hidden: true }, count, undo);
  const node = titled(element("span", { text: "Prediction" }), edited, list);
  undo.addEventListener("click", () => setTrait(why, "edits", []), { signal });
  /** Says that it is not the network's own answer. */
  function showEdits() {
    const edits = why.get("edits").length;
    changeAndHandOn(edited, { hidden: edits === 0 });
    change(count, { text: `with ${edits} ${edits === 1 ? "edit" : "edits"}` });
  }
  onChange(why, ["edits"], showEdits, signal);
  showEdits();
  function show() {
    const predictions = /** @type {[string, number | null][]} */ (model.get("predictions"));
    node.hidden = predictions.length === 0;
    const rows = predictions.map(([label, probability]) => {
      const bar = element("span", { class: "rw-prediction-bar" });
      bar.style.width = `${100 * (probability ?? 0)}%`;
      return element(
        "li",
        {},
        element("span", { text: label, title: label, class: "rw-prediction-label" }),
        element("span", { class: "rw-prediction-track" }, bar),
        element("span", { text: formatShare(probability) }),
      );
    });
    list.replaceChildren(...rows);
  }
  onChange(model, ["predictions"], show, signal);
  show();
  return node;
}

/**
 * @param {HTMLElement} el the explorer
 * @param {AbortSignal} signal
 */
export function footerOf(el, signal) {
  const where = element("span", { class: "rw-explorer-where" });
  // What keys lead to is read out; a pointer would make it talk without end.
  for (const [type, live] of Object.entries({ keydown: "polite", pointermove: "off" })) {
    const listen = () => change(where, { "aria-live": live });
    el.addEventListener(type, listen, { signal, capture: true });
  }
  const keys = [
    ["← →", "channel"],
    ["↑ ↓", "layer"],
    ["/", "find"],
    ["?", "help"],
  ].map(([key, what]) => element("span", {}, element("kbd", { text: key }), ` ${what}`));
  const node = element(
    "div",
    { class: "rw-explorer-footer" },
    where,
    element("span", { class: "rw-explorer-keys" }, ...keys),
  );
  return {
    node,
    /**
     * @param {{ block: number[], pixels: number[] | null } | null} seen
     * @param {string} reading
     * @param {[number, number]} size
     */
    show(seen, reading, size) {
      if (!seen) {
        change(where, { text: "Point at the photo or a map; drag a box to find its channels" });
        return;
      }
      const parts = [reading];
      if (seen.pixels) {
        const [left, top, right, bottom] = seen.pixels;
        const columns = `${Math.max(0, left)}–${Math.min(size[1], right) - 1}`;
        const rows = `${Math.max(0, top)}–${Math.min(size[0], bottom) - 1}`;
        parts.push(`photo x ${columns}, y ${rows} px`);
      }
      change(where, { text: parts.filter(Boolean).join("   ·   ") });
    },
  };
}
