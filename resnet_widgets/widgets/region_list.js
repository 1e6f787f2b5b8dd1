// The channels that fire most in the region, each one click away.

import { cellSpans, channelColors, colormapName, colormapTable, paintTile } from "./colors.js";
import { placeBox } from "./cursor.js";
import { changeAndHandOn } from "./focus.js";
import { colorRange, RANGE_TRAITS, rangeChoice, rangeEnds, TOP_CODE } from "./ranges.js";
import {
  change,
  element,
  followFrame,
  formatShort,
  onChange,
  oncePerFrame,
  setTrait,
} from "./shared.js";
import { reductionNote } from "./whole_planes.js";

/** @typedef {import("./frame.js").Frame} Frame */

const TILES = 10;

/**
 * Which share of each of `count` equal parts of 0…1 lies between `start` and `end`.
 * @param {number} start
 * @param {number} end
 * @param {number} count
 */
export function shares(start, end, count) {
  return Array.from({ length: count }, (_, i) =>
    Math.max(0, (Math.min((i + 1) / count, end) - Math.max(i / count, start)) * count),
  );
}

/** Mean and standard deviation of the codes of each channel; NaN where one is no number. */
function momentsOf(/** @type {Frame} */ frame) {
  return frame.recall("moments", null, () => {
    const mean = new Float64Array(frame.channels).fill(NaN);
    const deviation = new Float64Array(frame.channels).fill(NaN);
    const cells = frame.columns * frame.rows;
    for (let channel = 0; channel < frame.channels; channel++) {
      const plane = frame.plane(channel);
      let [sum, squares, largest] = [0, 0, 0];
      for (let i = 0; i < cells; i++) {
        sum += plane[i];
        squares += plane[i] * plane[i];
        if (plane[i] > largest) largest = plane[i];
      }
      if (largest > TOP_CODE) continue;
      mean[channel] = sum / cells;
      deviation[channel] = Math.sqrt(squares / cells - mean[channel] ** 2);
    }
    return { mean, deviation };
  });
}

/**
 * How much more each channel fires inside a region than in the rest of the picture: the formula of
 * `region_scores` in `regions.py`, with the values of the frame's bytes. It holds for the codes as
 * they are, because a score does not depend on the unit.
 * @param {Frame} frame
 * @param {number[]} region `[x0, y0, x1, y1]` in 0…1
 * @returns {{ scores: Float64Array, inside: Float64Array, outside: Float64Array } | null} the scores
 *   and the two means of each channel; null where there is no region, no place, or no rest
 */
export function regionScores(frame, region) {
  const [x0, y0, x1, y1] = region;
  if (region.length !== 4 || frame.isVector || (x1 - x0) * (y1 - y0) > 1 - 1e-9) return null;
  const across = shares(x0, x1, frame.columns);
  const down = shares(y0, y1, frame.rows);
  const weight =
    across.reduce((sum, share) => sum + share, 0) * down.reduce((sum, share) => sum + share, 0);
  const rest = frame.columns * frame.rows - weight;
  const { mean, deviation } = momentsOf(frame);
  const scores = new Float64Array(frame.channels);
  const inside = new Float64Array(frame.channels);
  const outside = new Float64Array(frame.channels);
  for (let channel = 0; channel < frame.channels; channel++) {
    const plane = frame.plane(channel);
    let sum = 0;
    for (let row = 0; row < frame.rows; row++) {
      if (down[row] === 0) continue;
      for (let column = 0; column < frame.columns; column++) {
        sum += down[row] * across[column] * plane[row * frame.columns + column];
      }
    }
    const here = sum / weight;
    const there = (mean[channel] * (weight + rest) - sum) / rest;
    scores[channel] = deviation[channel] === 0 ? 0 : (here - there) / deviation[channel];
    const unit = (frame.high[channel] - frame.low[channel]) / TOP_CODE;
    inside[channel] = frame.low[channel] + here * unit;
    outside[channel] = frame.low[channel] + there * unit;
  }
  return { scores, inside, outside };
}

/**
 * The channels with the highest scores, those without a number left out.
 * @param {Float64Array} scores
 * @param {number} n
 */
export function best(scores, n) {
  return Array.from(scores, (_, channel) => channel)
    .filter((channel) => Number.isFinite(scores[channel]))
    .sort((a, b) => scores[b] - scores[a] || a - b)
    .slice(0, n);
}

/**
 * @param {object} options
 * @param {any} options.model with the traits `region` and `channel`
 * @param {any} options.map the ActivationMap's model whose frame and colours are shown
 * @param {any} options.host
 * @param {AbortSignal} options.signal
 */
export function regionList({ model, map, host, signal }) {
  const facts = element("span", {
    title: "Mean inside less mean outside, in standard deviations of the channel",
  });
  const clear = element("button", { type: "button", class: "rw-quiet", text: "Clear" });
  const list = element("div", {
    class: "rw-region-list",
    role: "group",
    "aria-label": "Channels that fire most in the region",
  });
  const note = element("div", { class: "rw-empty", hidden: true });
  const node = element(
    "div",
    { class: "rw-region-part", hidden: true },
    element(
      "div",
      { class: "rw-title" },
      element("span", { text: "Fire most in the region" }),
      element("span", {}, facts, " ", clear),
    ),
    list,
    note,
  );
  const tiles = Array.from({ length: TILES }, makeTile);
  list.append(...tiles.map((tile) => tile.node));

  /** @type {Frame | null} */
  let frame = null;

  function makeTile() {
    const canvas = element("canvas", { class: "rw-cells" });
    const box = element("div", { class: "rw-box-region" });
    const name = element("b");
    const score = element("span");
    const node = element(
      "button",
      { type: "button", class: "rw-region-tile" },
      element("span", { class: "rw-region-picture" }, canvas, box),
      element("span", { class: "rw-region-caption" }, name, score),
    );
    const tile = { node, canvas, box, name, score, channel: -1 };
    node.addEventListener("click", () => setTrait(model, "channel", tile.channel), { signal });
    return tile;
  }

  function paint(/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ channel) {
    if (!frame) return;
    const { columns: width, rows: height } = frame;
    const choice = rangeChoice(map);
    const table = colormapTable(colormapName(map.get("colormap"), choice.symmetric));
    const range = colorRange(rangeEnds(frame, choice.clip), channel, choice);
    const colors = channelColors(table, frame.low[channel], frame.high[channel], range);
    canvas.width = width;
    canvas.height = height;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = context.createImageData(width, height);
    const [columns, rows] = [cellSpans(width, width), cellSpans(height, height)];
    const pixels = new Uint32Array(image.data.buffer);
    paintTile(pixels, width, 0, 0, columns, rows, frame.plane(channel), width, colors);
    context.putImageData(image, 0, 0);
    canvas.dataset.shown = `${frame.layer}#${channel}`;
  }

  const show = oncePerFrame(() => {
    const region = /** @type {number[]} */ (model.get("region"));
    changeAndHandOn(node, { hidden: region.length !== 4 || !frame });
    if (node.hidden || !frame) return;
    const found = regionScores(frame, region);
    const channels = found ? best(found.scores, TILES) : [];
    note.hidden = channels.length > 0;
    list.hidden = !note.hidden;
    note.textContent = frame.isVector
      ? "This layer has no places: one number a channel."
      : found
        ? "No channel of this layer has only finite values."
        : "The region is the whole picture: there is no rest to compare it with.";
    const said = ["std above the rest of its map", reductionNote(frame.reduction)];
    facts.textContent = note.hidden ? said.filter(Boolean).join(", ") : "";
    for (const [i, tile] of tiles.entries()) {
      tile.node.hidden = i >= channels.length;
      tile.channel = channels[i];
      if (tile.node.hidden || !found) continue;
      const [channel, score] = [tile.channel, found.scores[tile.channel]];
      const means = [found.inside[channel], found.outside[channel]].map(formatShort);
      paint(tile.canvas, channel);
      placeBox(tile.box, region);
      tile.name.textContent = `ch ${channel}`;
      tile.score.textContent = score.toFixed(1).replace("-", "−");
      tile.node.title = `Channel ${channel}: mean ≈ ${means[0]} inside, ≈ ${means[1]} outside`;
    }
    press();
  }, signal);

  function press() {
    for (const { node, channel } of tiles) {
      change(node, { "aria-pressed": String(channel === model.get("channel")) });
    }
  }

  clear.addEventListener("click", () => setTrait(model, "region", []), { signal });
  onChange(model, ["region"], show, signal);
  onChange(model, ["channel"], press, signal);
  onChange(map, ["colormap", ...RANGE_TRAITS], show, signal);
  followFrame({ model: map, host, signal }, (now) => {
    if (now.state !== "busy") frame = now.state === "ready" ? now.frame : null;
    show();
  });
  return node;
}
