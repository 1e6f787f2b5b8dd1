// What the colours of a map mean: histogram, legend, marks, and the choice of range and colormap.

import { COLORMAPS, channelMarks, colormapName, countMarks, MARK_NAMES } from "./colors.js";
import { changeAndHandOn } from "./focus.js";
import { histogram, layerHistogram, vectorHistogram } from "./histograms.js";
import { KINDS } from "./orders.js";
import { axisOf, rangeHistogram } from "./range_histogram.js";
import { rangeLegend } from "./range_legend.js";
import { colorRange, RANGE_TRAITS, rangeChoice, rangeEnds, sharesRange } from "./ranges.js";
import { setTraits } from "./saving.js";
import {
  change,
  element,
  formatShare,
  formatShort,
  numberSelect,
  onChange,
  traitSelect,
} from "./shared.js";
import { reductionNote, wholePlanes } from "./whole_planes.js";

const BINS = 42;
const CLIPS = [0, 0.1, 1, 2, 5];
const CLIP_TITLE = "Cells cut off at each end of the range, in percent; they are marked";

/** What a person should know about a channel without structure, or "". */
export function channelNote(
  /** @type {import("./frame.js").Frame} */ frame,
  /** @type {number} */ channel,
) {
  const [low, high] = [frame.low[channel], frame.high[channel]];
  if (Number.isNaN(low)) return "no finite value";
  if (frame.isVector || low !== high) return "";
  if (low !== 0) return `constant ${formatShort(low)}`;
  return KINDS[frame.muted.includes(channel) ? "muted" : "dead"].meaning;
}

/** How far a range is on its way from the channel's own to the layer's, in words. */
export function blendText(/** @type {number} */ blend) {
  if (blend === 0) return "each channel's own range";
  if (blend === 1) return "one range for the layer";
  return `${Math.round(100 * blend)} % of the way to the layer's range`;
}

/**
 * Sets traits that say which range holds, in one message; limits give way unless they are given.
 * @param {any} model
 * @param {Partial<import("./ranges.js").RangeChoice>} values
 */
function chooseRange(model, values) {
  setTraits(model, { limits: [], ...values });
}

/**
 * The three choices of the range, and the colormap.
 * @param {any} model
 * @param {AbortSignal} signal
 */
function rangeControls(model, signal) {
  const blend = element("input", {
    type: "range",
    class: "rw-blend",
    min: 0,
    max: 1,
    step: 0.01,
    "aria-label": "Range of the colours, from each channel's own to the layer's",
  });
  const mixer = element(
    "label",
    { class: "rw-mixer" },
    element("span", { class: "rw-key", text: "channel" }),
    blend,
    element("span", { class: "rw-key rw-key-layer", text: "layer" }),
  );
  const symmetric = element("button", {
    type: "button",
    class: "rw-toggle",
    text: "± 0",
    title: "Range around zero: the same distance below as above",
    "aria-label": "± 0: range around zero",
  });
  const clip = numberSelect(
    model,
    "clip",
    {
      label: "Clipping",
      title: CLIP_TITLE,
      choices: CLIPS,
      text: (percent) => (percent ? `clip ${percent} %` : "no clip"),
      choose: (percent) => chooseRange(model, { clip: percent }),
    },
    signal,
  );
  const colormap = traitSelect(
    model,
    "colormap",
    "Colormap",
    ["auto", ...COLORMAPS].map((name) => [name, name]),
    signal,
  );
  const row = element("div", { class: "rw-controls" }, colormap, symmetric, clip);

  function show() {
    blend.value = String(model.get("blend"));
    const text = blendText(model.get("blend"));
    change(blend, { title: text, "aria-valuetext": text });
    change(symmetric, { "aria-pressed": String(model.get("symmetric")) });
    change(colormap.options[0], { text: `auto: ${colormapName("auto", model.get("symmetric"))}` });
  }
  blend.addEventListener("input", () => chooseRange(model, { blend: Number(blend.value) }), {
    signal,
  });
  symmetric.addEventListener(
    "click",
    () => chooseRange(model, { symmetric: !model.get("symmetric") }),
    { signal },
  );
  onChange(model, RANGE_TRAITS, show, signal);
  show();
  return { mixer, row, clip };
}

/**
 * @param {any} model an ActivationMap's
 * @param {AbortSignal} signal
 */
export function valuePanel(model, signal) {
  const share = element("span");
  const chart = rangeHistogram(signal, (limits) => chooseRange(model, { limits }));
  const auto = element("button", {
    type: "button",
    class: "rw-auto",
    text: "auto",
    title: "The range was set by hand: choose it by the values again",
  });
  const legend = rangeLegend(auto);
  const marks = element("ul", { class: "rw-mark-list", "aria-label": "Marked cells" });
  const { mixer, row: controls, clip } = rangeControls(model, signal);
  const title = element("div", { class: "rw-title" }, element("span", { text: "Values" }), share);
  const node = element(
    "div",
    { class: "rw-values" },
    title,
    chart.node,
    legend.node,
    marks,
    mixer,
    controls,
  );

  /** @type {import("./frame.js").Frame | null} */
  let frame = null;
  let photo = "";

  function drawLegend(
    /** @type {[number, number]} */ range,
    /** @type {import("./ranges.js").RangeChoice} */ choice,
  ) {
    // In a sheet of channels with a range each there are no numbers that hold for all.
    const shared = model.get("mode") === "single" || sharesRange(choice);
    const words = choice.symmetric ? ["−max", "+max"] : ["min", "max"];
    const colormap = colormapName(model.get("colormap"), choice.symmetric);
    legend.show(colormap, range, shared ? null : words);
    changeAndHandOn(auto, { hidden: choice.limits.length !== 2 });
  }

  /** How many cells are marked, and how; means are no cells to be counted, which `note` says. */
  function drawMarks(/** @type {Record<string, number>} */ counts, note = "") {
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
    if (note) marks.append(element("li", { text: `bars: ${note}` }));
    change(marks, { hidden: items.length === 0 && !note });
  }

  function drawVector(/** @type {import("./frame.js").Frame} */ vector) {
    const zeros = vector.zeros.reduce((sum, zero) => sum + zero, 0) / vector.channels;
    change(share, { text: `share of zeros ${formatShare(zeros)}` });
    const { all } = rangeEnds(vector, 0);
    const bars = vectorHistogram(vector.strength, BINS);
    chart.show({ axis: all, range: all, symmetric: false, bars, outline: null });
    drawMarks({});
  }

  function draw() {
    change(node, { hidden: !frame });
    if (!frame) return;
    const grid = model.get("mode") === "grid" && !frame.isVector;
    change(title, { hidden: grid });
    for (const part of [legend.node, controls, mixer]) change(part, { hidden: frame.isVector });
    chart.node.classList.toggle("rw-histogram-still", frame.isVector);
    const means = reductionNote(frame.reduction);
    change(clip, { title: means ? `${CLIP_TITLE}. Measured on ${means}` : CLIP_TITLE });
    change(chart.node, { title: means && `The layer: ${means}` });
    if (frame.isVector) {
      change(chart.node, { hidden: false });
      drawVector(frame);
      return;
    }
    const channel = Math.min(model.get("channel"), frame.channels - 1);
    const choice = rangeChoice(model);
    const ends = rangeEnds(frame, choice.clip);
    const range = colorRange(ends, channel, choice);
    const full = rangeEnds(frame, 0).all;
    const [from, to] = [frame.low[channel], frame.high[channel]];
    const { plane, reduction } = grid
      ? { plane: frame.plane(channel), reduction: frame.reduction }
      : whole.of(photo, frame, channel);
    const note = reductionNote(reduction);
    const zeros = `share of zeros ${formatShare(frame.zeros[channel])}`;
    change(share, { text: channelNote(frame, channel) || zeros });
    drawLegend(range, choice);
    drawMarks(grid || note ? {} : countMarks(plane, channelMarks(from, to, range)), note);
    // A sheet has one histogram only, that of the layer.
    const shown = grid && !sharesRange(choice) ? full : range;
    const axis = chart.axis(axisOf(grid ? full : [from, to], shown));
    change(chart.node, { hidden: !(axis[0] < axis[1]) });
    if (chart.node.hidden) return;
    const layer = layerHistogram(frame, axis, BINS);
    chart.show({
      axis,
      range: shown,
      symmetric: choice.symmetric,
      bars: grid
        ? layer
        : histogram(plane, from, to, frame.zeros[channel], axis, BINS, { step: frame.step }),
      outline: grid ? null : layer,
    });
  }

  const whole = wholePlanes(draw, signal);
  auto.addEventListener("click", () => chooseRange(model, {}), { signal });
  onChange(model, ["channel", "mode", "colormap", ...RANGE_TRAITS], draw, signal);
  draw();
  return {
    node,
    /**
     * @param {import("./frame.js").Frame | null} next
     * @param {import("./exact_reader.js").From} [from]
     */
    show(next, from) {
      frame = next;
      photo = from?.photo ?? "";
      whole.from(from?.store);
      draw();
    },
  };
}
