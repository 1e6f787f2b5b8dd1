// What the colours of a map mean: histogram, legend, marks, and the choice of scale and colormap.

import { barChart } from "./bars.js";
import {
  COLORMAPS,
  channelMarks,
  colormapGradient,
  colormapName,
  colorRange,
  countMarks,
  histogram,
  MARK_NAMES,
  sharesRange,
} from "./colors.js";
import { element, formatShare, formatShort, onChange, traitSelect } from "./shared.js";

const BINS = 42;

/** What a person should know about a channel without structure, or "". */
export function channelNote(
  /** @type {import("./frame_store.js").Frame} */ frame,
  /** @type {number} */ channel,
) {
  const [low, high] = [frame.low[channel], frame.high[channel]];
  if (Number.isNaN(low)) return "no finite value";
  if (frame.isVector || low !== high) return "";
  return low === 0 ? "dead: all zero for this photo" : `constant ${formatShort(low)}`;
}

/**
 * @param {any} model an ActivationMap's
 * @param {AbortSignal} signal
 */
export function valuePanel(model, signal) {
  const share = element("span");
  const chart = barChart();
  const histogramBox = element("div", { class: "rw-histogram" }, chart.node);
  const low = element("span");
  const high = element("span");
  const gradient = element("span", { class: "rw-gradient" });
  const legend = element("div", { class: "rw-legend" }, low, gradient, high);
  const marks = element("ul", { class: "rw-mark-list", "aria-label": "Marked cells" });
  const scaleSelect = traitSelect(
    model,
    "scale",
    "Range of the colours",
    [
      ["channel", "per channel"],
      ["layer", "per layer"],
      ["zero", "around zero"],
    ],
    signal,
  );
  const colormapSelect = traitSelect(
    model,
    "colormap",
    "Colormap",
    ["auto", ...COLORMAPS].map((name) => [name, name]),
    signal,
  );
  const controls = element("div", { class: "rw-controls" }, colormapSelect, scaleSelect);
  const title = element("div", { class: "rw-title" }, element("span", { text: "Values" }), share);
  const node = element("div", { class: "rw-values" }, title, histogramBox, legend, marks, controls);

  /** @type {import("./frame_store.js").Frame | null} */
  let frame = null;

  function drawLegend(/** @type {[number, number]} */ range) {
    const constant = range[0] === range[1];
    // In a sheet of channels with a range each there are no numbers that hold for all.
    const shared = model.get("mode") === "single" || sharesRange(model);
    const words = model.get("scale") === "zero" ? ["−max", "+max"] : ["min", "max"];
    low.textContent = shared ? formatShort(range[0]) : words[0];
    high.textContent = shared ? formatShort(range[1]) : words[1];
    gradient.hidden = constant && shared;
    if (gradient.hidden) {
      low.textContent = `constant ${formatShort(range[0])}`;
      high.textContent = "";
    }
    gradient.style.backgroundImage = colormapGradient(
      colormapName(model.get("colormap"), model.get("scale")),
    );
  }

  function drawMarks(/** @type {Record<string, number>} */ counts) {
    const items = Object.entries(counts).filter(([, count]) => count > 0);
    marks.replaceChildren(
      ...items.map(([mark, count]) =>
        element(
          "li",
          {},
          element("span", { class: `rw-mark rw-mark-${mark}`, "aria-hidden": "true" }),
          `${count} ${MARK_NAMES[/** @type {import("./colors.js").Mark} */ (mark)]}`,
        ),
      ),
    );
    marks.hidden = items.length === 0;
  }

  function draw() {
    node.hidden = !frame;
    if (!frame) return;
    const single = model.get("mode") === "single" || frame.isVector;
    title.hidden = !single;
    legend.hidden = controls.hidden = frame.isVector;
    colormapSelect.options[0].text = `auto: ${colormapName("auto", model.get("scale"))}`;
    if (frame.isVector) {
      histogramBox.hidden = false;
      const zeros = frame.zeros.reduce((sum, zero) => sum + zero, 0) / frame.channels;
      share.textContent = `share of zeros ${formatShare(zeros)}`;
      chart.draw(vectorHistogram(frame.strength));
      drawMarks({});
      return;
    }
    const channel = Math.min(model.get("channel"), frame.channels - 1);
    const range = colorRange(frame, channel, model.get("scale"), model.get("limits"));
    const [from, to] = [frame.low[channel], frame.high[channel]];
    const plane = frame.plane(channel);
    share.textContent =
      channelNote(frame, channel) || `share of zeros ${formatShare(frame.zeros[channel])}`;
    histogramBox.hidden = !single || from === to;
    chart.draw(histogram(plane, from, to, frame.zeros[channel], range, BINS));
    drawLegend(range);
    drawMarks(single ? countMarks(plane, channelMarks(from, to, range)) : {});
  }

  onChange(model, ["channel", "mode", "scale", "colormap", "limits"], draw, signal);
  draw();
  return {
    node,
    /** @param {import("./frame_store.js").Frame | null} next */
    show(next) {
      frame = next;
      draw();
    },
  };
}

/** Numbers that are not zero, counted in equal bins from the smallest to the largest. */
export function vectorHistogram(/** @type {Float32Array} */ values) {
  const counted = values.filter((value) => Number.isFinite(value) && value !== 0);
  const bins = Array(BINS).fill(0);
  let [low, high] = [Infinity, -Infinity];
  for (const value of counted) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  for (const value of counted) {
    const at = high > low ? (value - low) / (high - low) : 0;
    bins[Math.min(BINS - 1, Math.floor(at * BINS))]++;
  }
  return bins;
}
