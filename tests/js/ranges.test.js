import assert from "node:assert/strict";
import { test } from "node:test";
import { channelColors, colormapTable } from "../../resnet_widgets/widgets/colors.js";
import {
  histogram,
  layerHistogram,
  vectorHistogram,
} from "../../resnet_widgets/widgets/histograms.js";
import {
  axisOf,
  movedRange,
  outlinePath,
  stepEnd,
} from "../../resnet_widgets/widgets/range_histogram.js";
import {
  clippedCodes,
  codeCounts,
  colorRange,
  rangeEnds,
  sharesRange,
} from "../../resnet_widgets/widgets/ranges.js";
import { blendText } from "../../resnet_widgets/widgets/value_panel.js";
import { frameOf } from "./frames.js";

const CHOICE = { blend: 0, symmetric: false, clip: 0, limits: [] };
const frame = frameOf([
  [0, 8, [0, 252]],
  [-2, 1, [0, 252]],
  [NaN, NaN, [255, 255]],
  [1, 1, [0, 0]],
]);
const range = (channel, choice) =>
  colorRange(rangeEnds(frame, 0), channel, { ...CHOICE, ...choice });

test("the range goes from the channel's own to the layer's", () => {
  assert.deepEqual(range(1, {}), [-2, 1]);
  assert.deepEqual(range(1, { blend: 1 }), [-2, 8]);
  assert.deepEqual(range(1, { blend: 0.5 }), [-2, 4.5]);
  assert.deepEqual(range(3, { blend: 0.25 }), [0.25, 2.75]);
  assert.deepEqual(range(2, { blend: 1 }), [-2, 8]);
  assert.deepEqual(range(2, {}), [NaN, NaN]);
});

test("around zero it is symmetric, and limits take its place", () => {
  assert.deepEqual(range(0, { symmetric: true }), [-8, 8]);
  assert.deepEqual(range(1, { symmetric: true }), [-2, 2]);
  assert.deepEqual(range(1, { symmetric: true, blend: 1 }), [-8, 8]);
  assert.deepEqual(range(1, { symmetric: true, limits: [0, 5] }), [0, 5]);
});

test("one range holds for all at the layer's, and with limits", () => {
  const shares = (choice) => sharesRange({ ...CHOICE, ...choice });
  assert.deepEqual([shares({}), shares({ blend: 0.99 })], [false, false]);
  assert.deepEqual([shares({ blend: 1 }), shares({ limits: [0, 1] })], [true, true]);
});

test("around zero, a channel of zeros is in the middle", () => {
  const zeros = frameOf([[0, 0, [0]]]);
  const symmetric = colorRange(rangeEnds(zeros, 0), 0, { ...CHOICE, symmetric: true });
  const table = colormapTable("coolwarm");
  assert.equal(channelColors(table, 0, 0, symmetric)[0], table[128]);
});

test("a layer without a finite value has no range", () => {
  const none = frameOf([[NaN, NaN, [255]]]);
  assert.deepEqual(rangeEnds(none, 0).all, [NaN, NaN]);
  assert.deepEqual(rangeEnds(none, 5).all, [NaN, NaN]);
});

test("clipping cuts off no more cells than it says, as the sorted cells have it", () => {
  const codes = Uint8Array.from({ length: 101 }, (_, i) => 2 * i + 10);
  assert.deepEqual(clippedCodes(codeCounts(codes), 0), [10, 210]);
  assert.deepEqual(clippedCodes(codeCounts(codes), 1), [12, 208]);
  assert.deepEqual(clippedCodes(codeCounts(codes), 1.9), [12, 208]);
  assert.deepEqual(clippedCodes(codeCounts(codes), 25), [60, 160]);
  assert.deepEqual(clippedCodes(codeCounts(Uint8Array.of(253, 255)), 1), [-1, -1]);
  assert.deepEqual(clippedCodes(codeCounts(Uint8Array.of(255, 0, 252)), 25), [0, 252]);
});

test("percentiles of a channel, and of the values of all", () => {
  const many = Array.from({ length: 252 }, (_, i) => i + 1);
  const two = frameOf([
    [0, 252, many],
    [0, 2520, many],
  ]);
  const { low, high, all } = rangeEnds(two, 10);
  assert.deepEqual([low[0], high[0]], [26, 227]);
  const values = [...many, ...many.map((code) => 10 * code)].sort((a, b) => a - b);
  const cut = Math.floor(0.1 * (values.length - 1));
  assert.deepEqual(all, [values[cut], values[values.length - 1 - cut]]);
});

test("a channel with a few values that are not zero is not clipped away", () => {
  const codes = Array(200).fill(0);
  codes[7] = 252;
  const sparse = frameOf([[0, 3, codes]]);
  const ends = rangeEnds(sparse, 5);
  assert.deepEqual([ends.low[0], ends.high[0]], [0, 3]);
  assert.deepEqual(ends.all, [0, 3]);
});

test("what is worked out from a frame is worked out once, for the newest question", () => {
  let times = 0;
  const ask = (of) => frame.recall("test", of, () => ++times);
  assert.deepEqual([ask(1), ask(1), ask(2), ask(1)], [1, 1, 2, 3]);
});

test("the histogram leaves out exact zeros and cells without a number, and loses nothing else", () => {
  const plane = Uint8Array.of(0, 0, 0, 0, 63, 126, 252, 255, 254);
  const counts = histogram(plane, 0, 4, 3 / 7, [0, 4], 4);
  const total = counts.reduce((sum, count) => sum + count, 0);
  assert.ok(Math.abs(total - 4) < 1e-9);
  assert.ok(Math.abs(counts[0] - 1.5) < 0.01); // one small value, and half of the byte on the edge
  assert.equal(counts[3], 1);
});

test("zeros inside a range are left out of the bin they are in", () => {
  const plane = Uint8Array.of(0, 84, 84, 252); // -1, 0, 0, 2
  assert.deepEqual([...histogram(plane, -1, 2, 0.5, [-1, 2], 3)], [1, 0, 1]);
});

test("the histogram is over the range in use, with what is outside left out", () => {
  const plane = Uint8Array.of(0, 126, 252); // -8, 0, 8
  assert.deepEqual([...histogram(plane, -8, 8, 0, [-24, 24], 3)], [0, 3, 0]);
  assert.deepEqual([...histogram(plane, -8, 8, 0, [-4, 4], 1)], [1]);
  assert.deepEqual([...histogram(plane, 5, 5, 0, [5, 5], 2)], [0, 0]);
});

test("bytes spread over the bins they touch: a flat channel gives flat bins", () => {
  const plane = Uint8Array.from({ length: 253 * 4 }, (_, i) => i % 253);
  const counts = histogram(plane, 0, 1, 0, [0, 1], 40).slice(1, -1);
  assert.ok(Math.max(...counts) - Math.min(...counts) < 1e-6);
});

test("the fewer levels of a saved page make no comb either, and zeros are where they were moved", () => {
  const saved = (/** @type {number} */ code) =>
    code === 0 || code === 252 ? code : Math.floor(code / 7) * 7 + 3;
  const codes = Array.from({ length: 253 * 4 }, (_, i) => i % 253);
  const plane = Uint8Array.from(codes, saved);
  const counts = histogram(plane, 0, 1, 0, [0, 1], 42, { step: 7 }).slice(1, -1);
  assert.ok(Math.max(...counts) - Math.min(...counts) < 1e-6);
  const total = histogram(plane, 0, 1, 0, [0, 1], 42, { step: 7 }).reduce((sum, n) => sum + n, 0);
  assert.ok(Math.abs(total - plane.length) < 1e-6);
  // -1, 0, 0, 2: the zeros are at 84, which became 87.
  const zeros = Uint8Array.of(0, saved(84), saved(84), 252);
  assert.deepEqual([...histogram(zeros, -1, 2, 0.5, [-1, 2], 3, { step: 7 })], [1, 0, 1]);
  const channel = frameOf([[0, 1, [...plane]]], { step: 7 });
  const layer = layerHistogram(channel, [0, 1], 42).slice(1, -1);
  assert.ok(Math.max(...layer) - Math.min(...layer) < 1);
});

test("the histogram of a layer is the sum of those of its channels", () => {
  const codes = (first) => Array.from({ length: 400 }, (_, i) => (first + i) % 253);
  const layer = frameOf([
    [0, 8, codes(0)],
    [-2, 1, codes(9)],
    [1, 1, codes(0).fill(0)],
  ]);
  const sum = new Float64Array(10);
  for (const channel of [0, 1]) {
    const [low, high] = [layer.low[channel], layer.high[channel]];
    histogram(layer.plane(channel), low, high, 0, [-2, 8], 10, { result: sum });
  }
  const bins = layerHistogram(layer, [-2, 8], 10);
  for (let i = 0; i < 10; i++) assert.ok(Math.abs(bins[i] - sum[i]) < 0.02 * sum[i] + 0.5, `${i}`);
  const part = layerHistogram(layer, [0, 4], 4);
  const whole = layerHistogram(layer, [-2, 8], 10).slice(2, 6);
  for (let i = 0; i < 4; i++) assert.ok(Math.abs(part[i] - whole[i]) < 1, `${i}`);
});

test("a vector's histogram leaves out zeros and what is not finite", () => {
  const bins = vectorHistogram(Float32Array.of(0, 1, 2, 3, 3, NaN, Infinity), 42);
  assert.equal(
    bins.reduce((sum, count) => sum + count, 0),
    4,
  );
  assert.deepEqual([bins[0], bins.at(-1)], [1, 2]);
});

test("the axis holds the values and the range", () => {
  assert.deepEqual(axisOf([0, 4], [1, 2]), [0, 4]);
  assert.deepEqual(axisOf([0, 4], [-4, 9]), [-4, 9]);
});

test("an end moves and never passes the other; around zero both move", () => {
  assert.deepEqual(movedRange([0, 4], 0, 1, [0, 5], false), [1, 4]);
  assert.deepEqual(movedRange([0, 4], 1, 3, [0, 5], false), [0, 3]);
  assert.deepEqual(movedRange([0, 4], 0, 9, [0, 5], false), [3.99, 4]);
  assert.deepEqual(movedRange([1, 4], 1, 0, [0, 5], false), [1, 1.01]);
  assert.deepEqual(movedRange([-4, 4], 0, -3, [-5, 5], true), [-3, 3]);
  assert.deepEqual(movedRange([-4, 4], 1, 2, [-5, 5], true), [-2, 2]);
  assert.deepEqual(movedRange([-4, 4], 1, -2, [-5, 5], true), [-0.01, 0.01]);
});

test("keys step an end by a hundredth of the axis, or a tenth", () => {
  const step = (key, far = false) => stepEnd(key, 2, [0, 10], far);
  assert.deepEqual([step("ArrowRight"), step("ArrowUp"), step("ArrowLeft")], [2.1, 2.1, 1.9]);
  assert.deepEqual([step("ArrowDown", true), step("PageUp"), step("PageDown")], [1, 3, 1]);
  assert.deepEqual([step("Home"), step("End"), step("x")], [0, 10, NaN]);
});

test("the outline of bins is as high as the highest", () => {
  assert.equal(outlinePath([1, 2, 0]), "M0 100V50.0h1V0.0h1V100.0h1V100");
  assert.equal(outlinePath([0]), "M0 100V100.0h1V100");
});

test("the blend has words for its ends and between them", () => {
  assert.deepEqual([0, 0.4, 1].map(blendText), [
    "each channel's own range",
    "40 % of the way to the layer's range",
    "one range for the layer",
  ]);
});
