import assert from "node:assert/strict";
import { test } from "node:test";
import { insideCodes } from "../../resnet_widgets/widgets/colors.js";
import {
  channelKinds,
  channelOrder,
  similarities,
  sortedChannels,
  variances,
} from "../../resnet_widgets/widgets/orders.js";
import { channelNote } from "../../resnet_widgets/widgets/value_panel.js";
import { frameOf } from "./frames.js";

const frame = frameOf(
  [
    [0, 2, [0, 126, 252, 0]],
    [0, 0, [0, 0, 0, 0]],
    [-1, 9, [252, 126, 0, 252]],
    [0, 4, [252, 126, 0, 255]],
    [5, 5, [0, 0, 0, 0]],
    [0, 1, [252, 252, 0, 1]],
  ],
  { strength: [0.75, 0, 5, 2, 5, 0.5], zeros: [0.5, 1, 0, 1 / 3, 0, 0.25] },
);

test("channels by a number of each: the greatest first, equals by index, NaN last", () => {
  assert.deepEqual(sortedChannels([1, NaN, 3, -2, 3]), [2, 4, 0, 3, 1]);
  assert.deepEqual(sortedChannels([NaN, -Infinity, Infinity, Infinity]), [2, 3, 0, 1]);
});

test("orders by what a frame tells of its channels", () => {
  assert.deepEqual(channelOrder(frame, "index"), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(channelOrder(frame, "strength"), [2, 4, 3, 0, 5, 1]);
  assert.deepEqual(channelOrder(frame, "maximum"), [2, 4, 3, 0, 5, 1]);
  assert.deepEqual(channelOrder(frame, "zeros"), [1, 0, 3, 5, 2, 4]);
  assert.deepEqual(channelOrder(frame, "variance"), [2, 3, 0, 5, 1, 4]);
});

test("variance is that of the finite cells", () => {
  const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);
  const found = variances(frame);
  near(found[0], (0 + 1 + 4 + 0) / 4 - 0.75 ** 2); // 0, 1, 2, 0
  near(found[3], (16 + 4 + 0) / 3 - 2 ** 2); // 4, 2, 0
  assert.deepEqual([found[1], found[4]], [0, 0]);
});

test("similarity is the correlation of the cells that are finite in both", () => {
  const found = similarities(frame, 0);
  assert.ok(Math.abs(found[0] - 1) < 1e-9 && Math.abs(found[3] + 1) < 1e-9);
  assert.ok(Number.isNaN(found[1]) && Number.isNaN(found[4]));
  const [a, b] = [
    [0, 126, 252, 0],
    [252, 252, 0, 1],
  ];
  const mean = (values) => values.reduce((sum, value) => sum + value) / values.length;
  const dot = (x, y) => mean(x.map((value, i) => (value - mean(x)) * (y[i] - mean(y))));
  assert.ok(Math.abs(found[5] - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))) < 1e-9);
});

test("by similarity the channel itself is first, also where it is constant", () => {
  assert.equal(channelOrder(frame, "similarity", 0)[0], 0);
  assert.equal(channelOrder(frame, "similarity", 4)[0], 4);
  assert.equal(channelOrder(frame, "similarity", 99)[0], 5);
  assert.deepEqual(channelOrder(frame, "similarity", 3).slice(0, 2), [3, 2]);
});

test("what is the matter with a channel", () => {
  assert.deepEqual(channelKinds(frame), ["", "dead", "saturated", "odd", "constant", "saturated"]);
});

test("a channel that is zero because of an edit is muted, not dead", () => {
  const muted = frameOf(
    [
      [0, 0, [0, 0]],
      [0, 0, [0, 0]],
      [0, 1, [0, 252]],
    ],
    { muted: [1, 2] },
  );
  assert.deepEqual(channelKinds(muted).slice(0, 2), ["dead", "muted"]);
  assert.match(channelNote(muted, 1), /^muted/);
  assert.notEqual(channelKinds(muted)[2], "muted");
});

test("the bytes inside a range, none of them, and all of a range rounded to float32", () => {
  assert.deepEqual(insideCodes(0, 252, [10, 20]), [10, 20]);
  assert.deepEqual(insideCodes(0, 1, [2, 3]), [253, 252]);
  assert.deepEqual(insideCodes(3, 3, [3, 3]), [0, 252]);
  assert.deepEqual(insideCodes(Math.fround(0.1), Math.fround(0.3), [0.1, 0.3]), [0, 252]);
});
