// Shows activations: one channel, all channels, or the numbers of a layer that has no picture.

import { channelPicture } from "./channel_picture.js";
import { channelSheet } from "./channel_sheet.js";
import { ORDER_NAMES, orderControl } from "./orders.js";
import { pinPanel } from "./pins.js";
import { becomeRoot, change, element, errorLine, followFrame, onChange } from "./shared.js";
import { valuePanel } from "./value_panel.js";
import { vectorBars } from "./vector_bars.js";
import { reductionNote } from "./whole_planes.js";

/**
 * The two ends of the line above the map.
 * @param {any} model
 * @param {import("./frame.js").Frame | null} frame
 * @returns {[string, facts: [before: string, strong: string, after: string]]}
 */
export function titleOf(model, frame) {
  const layer = model.get("layer");
  if (!frame) return [layer, ["", "", ""]];
  if (frame.isVector) return [layer, [`${frame.channels} values`, "", ""]];
  if (model.get("mode") === "grid") {
    const order = model.get("order");
    const name = order === "similarity" ? `like ch ${model.get("reference")}` : ORDER_NAMES[order];
    const sorted = order === "index" ? name : `sorted ${name}`;
    const note = reductionNote(frame.reduction);
    return [`All ${frame.channels} channels`, [sorted, "", note && `, ${note}`]];
  }
  const channel = Math.min(model.get("channel"), frame.channels - 1);
  return [layer, ["ch ", String(channel), ` of ${frame.channels}`]];
}

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context */
async function renderMap({ model, el, signal, host }) {
  becomeRoot(el, signal);
  el.classList.add("rw-map");
  const name = element("span");
  const facts = ["span", "b", "span"].map((tag) => element(/** @type {"b"} */ (tag)));
  const status = element("div", { class: "rw-empty" });
  const picture = channelPicture(model, signal);
  const sheet = channelSheet(model, signal);
  const bars = vectorBars(model, signal);
  const stage = element(
    "div",
    { class: "rw-map-stage" },
    picture.node,
    sheet.node,
    bars.node,
    status,
  );
  const panel = valuePanel(model, signal);
  const order = orderControl(model, "channel", signal);
  const pins = pinPanel(model, signal);
  const aside = element("div", { class: "rw-map-aside" }, panel.node, picture.reading, pins.node);
  const title = element("div", { class: "rw-title" }, name, element("span", {}, ...facts));
  el.append(
    element(
      "div",
      { class: "rw-map-body" },
      element("div", { class: "rw-map-main" }, title, errorLine(model, signal), stage),
      aside,
    ),
  );

  /** @type {import("./shared.js").FrameState} */
  let now = { state: "empty" };
  /** @type {import("./frame.js").Frame | null} what is on screen, perhaps of the last layer */
  let shown = null;

  function describe() {
    const frame = now.state === "ready" ? now.frame : null;
    const [left, right] = titleOf(model, frame);
    change(name, { text: left, title: left });
    name.classList.toggle("rw-layer-name", left === model.get("layer"));
    for (const [i, text] of right.entries()) change(facts[i], { text });
  }

  function arrange() {
    const grid = model.get("mode") === "grid";
    const vector = shown?.isVector ?? false;
    const gone = now.state === "error" || now.state === "empty";
    el.classList.toggle("rw-map-grid", grid);
    el.classList.toggle("rw-busy", now.state === "busy");
    bars.node.hidden = gone || !vector;
    picture.node.hidden = gone || vector || grid || !shown;
    sheet.node.hidden = gone || vector || !grid || !shown;
    aside.hidden = !model.get("values");
    picture.reading.hidden = grid || vector;
    order.hidden = !grid || vector;
    status.hidden = now.state === "ready";
    status.textContent = { busy: "Computing…", error: "", empty: "No layer", ready: "" }[now.state];
    status.toggleAttribute("data-error", now.state === "error");
    if (now.state === "error") {
      status.textContent = now.message;
      status.setAttribute("role", "alert");
    } else status.removeAttribute("role");
    describe();
  }

  function draw() {
    arrange();
    if (now.state !== "ready") {
      if (now.state !== "busy") {
        panel.show(null);
        pins.show(null);
      }
      return;
    }
    if (now.frame.isVector) bars.show(now.frame);
    else if (model.get("mode") === "grid") sheet.show(now.frame);
    else picture.show(now.frame, now);
    panel.show(model.get("values") ? now.frame : null, now);
    pins.show(model.get("mode") === "grid" || !model.get("values") ? null : now.frame, now);
  }

  panel.node.querySelector(".rw-controls")?.append(order);
  onChange(model, ["mode", "values"], draw, signal);
  onChange(model, ["channel", "order", "reference", "layer"], describe, signal);
  await followFrame({ model, host, signal }, (state) => {
    now = state;
    if (state.state === "ready") shown = state.frame;
    if (state.state === "empty" || state.state === "error") shown = null;
    draw();
  });
}

export default {
  /** @param {{ model: any }} context */
  initialize({ model }) {
    return {
      /**
       * Draws the panel of histogram, legend and controls in any element.
       * @param {{ el: HTMLElement, signal: AbortSignal, host: any }} context
       */
      async renderValues({ el, signal, host }) {
        becomeRoot(el, signal);
        const panel = valuePanel(model, signal);
        el.append(panel.node);
        await followFrame({ model, host, signal }, (state) => {
          el.classList.toggle("rw-busy", state.state === "busy");
          if (state.state === "ready") panel.show(state.frame, state);
          else if (state.state !== "busy") panel.show(null);
        });
      },
      /**
       * Draws the rows of the pinned cells in any element.
       * @param {{ el: HTMLElement, signal: AbortSignal, host: any }} context
       */
      async renderPins({ el, signal, host }) {
        becomeRoot(el, signal);
        const pins = pinPanel(model, signal);
        el.append(pins.node);
        await followFrame({ model, host, signal }, (state) => {
          el.classList.toggle("rw-busy", state.state === "busy");
          if (state.state === "ready") pins.show(state.frame, state);
          else if (state.state !== "busy") pins.show(null);
        });
      },
    };
  },
  render: renderMap,
};
