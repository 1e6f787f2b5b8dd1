// What every widget module uses. `_base.py` pastes this file in front of each of them, so keep it
// small, give it no module-level state (`saving.js` alone has some), and no default export.

import { saveNow, setTraits } from "./saving.js";

/**
 * One DOM element. Text always goes in as text, never as HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 *   `class`, `role`, `aria-*` …; `text` sets `textContent`; null, undefined and false leave one out.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = String(value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}

/**
 * Changes what differs, and leaves the rest alone: to a page with rules such as `:has()`, and
 * JupyterLab has many, even to write the same again is a change.
 * @param {Element} node
 * @param {Record<string, string | number | boolean | null | undefined>} attributes as for `element`;
 *   null, undefined and false take one away
 */
export function change(node, { text, ...attributes }) {
  for (const [name, value] of Object.entries(attributes)) {
    const none = value === null || value === undefined || value === false;
    const wanted = none ? null : value === true ? "" : String(value);
    if (wanted === node.getAttribute(name)) continue;
    if (wanted === null) node.removeAttribute(name);
    else node.setAttribute(name, wanted);
  }
  if (text === undefined || node.textContent === String(text)) return;
  const only = node.childNodes.length === 1 ? node.firstChild : null;
  // Other letters in the same node are less of a change than another node.
  if (only?.nodeType === Node.TEXT_NODE && text !== "") only.nodeValue = String(text);
  else node.textContent = String(text);
}

/**
 * One element of a drawing.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
export function svgElement(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}

/**
 * Makes `el` the root of a widget: our CSS applies, and no key pressed inside reaches the notebook,
 * where `x` would cut the cell. Inside another of our widgets keys go on to that one.
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
export function becomeRoot(el, signal) {
  el.classList.add("rw");
  const stop = (/** @type {Event} */ event) => {
    if (!el.parentElement?.closest(".rw")) event.stopPropagation();
  };
  el.addEventListener("keydown", stop, { signal });
  // Notebook 7 listens before we can stop anything; it passes over an element with this mark, but
  // looks for it on the one that has the focus only.
  const mark = (/** @type {Event} */ event) =>
    /** @type {HTMLElement} */ (event.target).setAttribute("data-lm-suppress-shortcuts", "true");
  el.addEventListener("focusin", mark, { signal });
  for (const letGo of ["pointerup", "keyup", "change"])
    el.addEventListener(letGo, saveNow, { signal });
  window.addEventListener("pagehide", saveNow, { signal });
}

/**
 * Calls `handler` when one of the traits changes, until `signal` aborts.
 * @param {any} model
 * @param {string[]} names
 * @param {() => void} handler
 * @param {AbortSignal} signal
 */
export function onChange(model, names, handler, signal) {
  if (signal.aborted) return;
  for (const name of names) model.on(`change:${name}`, handler);
  signal.addEventListener("abort", () => {
    for (const name of names) model.off(`change:${name}`, handler);
  });
}

/**
 * Sets one trait and tells the kernel, if it is a change.
 * @param {any} model
 * @param {string} name
 * @param {unknown} value
 */
export function setTrait(model, name, value) {
  setTraits(model, { [name]: value });
}

/**
 * Runs `task` at most once an animation frame, however often the result is called.
 * @param {() => void} task
 * @param {AbortSignal} signal
 * @returns {() => void}
 */
export function oncePerFrame(task, signal) {
  let handle = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(handle));
  return () => {
    if (handle || signal.aborted) return;
    handle = requestAnimationFrame(() => {
      handle = 0;
      task();
    });
  };
}

/**
 * Runs `task` at once, and while calls keep coming at most once an animation frame. The last call
 * is never lost, so a position that follows the pointer ends where the pointer does.
 * @param {() => void} task
 * @param {AbortSignal} signal
 * @returns {() => void}
 */
export function throttle(task, signal) {
  let handle = 0;
  let again = false;
  const run = () => {
    again = false;
    handle = requestAnimationFrame(() => {
      handle = 0;
      if (again) run();
    });
    task();
  };
  signal.addEventListener("abort", () => cancelAnimationFrame(handle));
  return () => {
    if (signal.aborted) return;
    if (handle) again = true;
    else run();
  };
}

/**
 * @typedef {import("./frame.js").Frame} Frame
 * @typedef {{ state: "empty" | "busy" } | { state: "error", message: string }
 *   | { state: "ready", frame: Frame, store: any, photo: string }} FrameState `photo` is that of the
 *   frame: the model may have the next one already
 */

/**
 * Follows the frame that the traits `photo` and `layer` of a model name, from its `store`.
 * @param {{ model: any, host: any, signal: AbortSignal }} context
 * @param {(state: FrameState) => void} show called on every change, first before this returns
 */
export async function followFrame({ model, host, signal }, show) {
  if (!model.get("store")) {
    show({ state: "empty" });
    return;
  }
  show({ state: model.get("layer") ? "busy" : "empty" });
  const store = await host.getWidget(model.get("store")).then(
    (/** @type {any} */ widget) => widget.exports,
    () => null,
  );
  if (signal.aborted) return;
  if (!store) {
    show({ state: "error", message: "The frames of this view are gone. Run its cell again." });
    return;
  }
  const reader = store.reader(signal);
  let queued = false;
  let latest = 0;

  async function read() {
    queued = false;
    const mine = ++latest;
    const [photo, layer] = [model.get("photo"), model.get("layer")];
    if (!layer) {
      show({ state: "empty" });
      return;
    }
    if (!store.peek(photo, layer)) show({ state: "busy" });
    /** @type {FrameState} */
    let state;
    try {
      const frame = await reader.read(photo, layer);
      if (!frame) return;
      state = { state: "ready", frame, store, photo };
    } catch (error) {
      state = { state: "error", message: /** @type {Error} */ (error).message };
    }
    if (mine === latest && !signal.aborted) show(state);
  }

  // Photo and layer often change together; one read is enough.
  const soon = () => {
    if (queued) return;
    queued = true;
    queueMicrotask(read);
  };
  onChange(model, ["photo", "layer"], soon, signal);
  store.onForget(soon, signal);
  // Not awaited: the view is there at once, its frame when the kernel has it.
  read();
}

/**
 * A line with `role="alert"` that shows `model.error` and hides when there is none.
 * @param {any} model
 * @param {AbortSignal} signal
 */
export function errorLine(model, signal) {
  const line = element("div", { class: "rw-error", role: "alert" });
  const show = () => {
    line.textContent = model.get("error") || "";
    line.hidden = !line.textContent;
  };
  onChange(model, ["error"], show, signal);
  show();
  return line;
}

/**
 * `28 × 28 × 512`, or `2048` for a vector.
 * @param {number[]} shape
 */
export function formatShape(shape) {
  return shape.map((n) => (n < 0 ? "?" : String(n))).join(" × ");
}

/**
 * Four significant digits, thousands and powers of ten only where they help: `0.8413`, `12.3`, `−1.2e−7`.
 * @param {number | null} value
 */
export function formatNumber(value) {
  // In JSON a number that is not finite is null.
  if (value === null) return "not finite";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5)
      ? value.toExponential(2)
      : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}

/**
 * Two decimals for what a legend says: `8.77`, `−0.31`, `0.00`; else as `formatNumber`.
 * @param {number | null} value
 */
export function formatShort(value) {
  if (value === null) return formatNumber(value);
  const size = Math.abs(value);
  if (size !== 0 && !(size >= 0.01 && size < 1000)) return formatNumber(value);
  return value.toFixed(2).replaceAll("-", "−");
}

/**
 * A share of a whole: `13 %`, and never 0 or 100 unless it is.
 * @param {number | null} share in 0…1
 */
export function formatShare(share) {
  if (share === null || !Number.isFinite(share)) return formatNumber(share);
  const percent = Math.round(100 * share);
  if (percent === 0 && share > 0) return "< 1 %";
  if (percent === 100 && share < 1) return "> 99 %";
  return `${percent} %`;
}

/**
 * A drop-down for one trait.
 * @param {any} model
 * @param {string} trait
 * @param {string} label read out, and shown as a tooltip
 * @param {[value: string, text: string][]} options
 * @param {AbortSignal} signal
 */
export function traitSelect(model, trait, label, options, signal) {
  const select = element(
    "select",
    { class: "rw-select", "aria-label": label, title: label },
    ...options.map(([value, text]) => element("option", { value, text })),
  );
  const show = () => {
    select.value = model.get(trait);
  };
  select.addEventListener("change", () => setTrait(model, trait, select.value), { signal });
  onChange(model, [trait], show, signal);
  show();
  return select;
}

/**
 * A drop-down for a trait that is a number; one that is none of the choices is added to them.
 * @param {any} model
 * @param {string} trait
 * @param {{ label: string, title?: string, choices: number[], text: (value: number) => string,
 *   choose?: (value: number) => void }} options
 * @param {AbortSignal} signal
 */
export function numberSelect(
  model,
  trait,
  { label, title = label, choices, text, choose },
  signal,
) {
  const select = element("select", { class: "rw-select", "aria-label": label, title });
  const show = () => {
    const now = model.get(trait);
    const values = [...new Set([...choices, now])].sort((a, b) => a - b);
    select.replaceChildren(
      ...values.map((value) => element("option", { value, text: text(value) })),
    );
    select.value = String(now);
  };
  const take = choose ?? ((/** @type {number} */ value) => setTrait(model, trait, value));
  select.addEventListener("change", () => take(Number(select.value)), { signal });
  onChange(model, [trait], show, signal);
  show();
  return select;
}
