// A layer that gives one number a channel, such as the predictions: all of them, and the largest.

import { barChart } from "./bars.js";
import { sortedChannels } from "./orders.js";
import { refill } from "./refill.js";
import { element, formatNumber, onChange, setTrait } from "./shared.js";

const ROWS = 10;

/**
 * @param {any} model an ActivationMap's
 * @param {AbortSignal} signal
 */
export function vectorBars(model, signal) {
  const chart = barChart();
  const here = element("div", { class: "rw-bars-here" });
  const strip = element("div", { class: "rw-bars-box" }, chart.node, here);
  const list = element("div");
  const node = element("div", { class: "rw-vector" }, strip, list);

  /** @type {import("./frame.js").Frame | null} */
  let frame = null;

  /** The largest channels and the chosen one, each once. */
  function rowsOf(/** @type {Float32Array} */ values, /** @type {number} */ chosen) {
    const rows = sortedChannels(values).slice(0, ROWS);
    if (!rows.includes(chosen)) rows.push(chosen);
    return rows;
  }

  function draw() {
    if (!frame || node.hidden) return;
    const values = frame.strength;
    const chosen = Math.min(model.get("channel"), frame.channels - 1);
    const labels = model.get("labels");
    strip.hidden = frame.channels <= ROWS;
    if (!strip.hidden) chart.draw(values, strip.clientWidth);
    here.style.left = `${(100 * (chosen + 0.5)) / frame.channels}%`;
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0) || 1;
    refill(
      list,
      rowsOf(values, chosen).map((channel) => {
        const share = (100 * Math.abs(values[channel])) / largest;
        const bar = element("span", { class: "rw-row-bar" });
        bar.style.width = `${Number.isFinite(share) ? share : 0}%`;
        const row = element(
          "button",
          {
            type: "button",
            class: "rw-row",
            "data-key": channel,
            "aria-pressed": String(channel === chosen),
          },
          element("span", { class: "rw-row-name", text: labels[channel] || `ch ${channel}` }),
          element("span", {}, bar),
          element("span", { text: formatNumber(values[channel]) }),
        );
        row.addEventListener("click", () => setTrait(model, "channel", channel), { signal });
        return row;
      }),
    );
  }

  strip.addEventListener(
    "click",
    (event) => {
      if (!frame) return;
      const box = strip.getBoundingClientRect();
      const at = Math.floor(((event.clientX - box.left) / box.width) * frame.channels);
      setTrait(model, "channel", Math.max(0, Math.min(frame.channels - 1, at)));
    },
    { signal },
  );
  onChange(model, ["channel", "labels"], draw, signal);
  const resized = new ResizeObserver(() => {
    if (frame && !strip.hidden) chart.draw(frame.strength, strip.clientWidth);
  });
  resized.observe(strip);
  signal.addEventListener("abort", () => resized.disconnect());

  return {
    node,
    /** @param {import("./frame.js").Frame} next */
    show(next) {
      frame = next;
      draw();
    },
  };
}
