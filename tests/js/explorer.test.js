import assert from "node:assert/strict";
import { test } from "node:test";

import { nextLayers } from "../../resnet_widgets/explorer.js";
import { cropInView } from "../../resnet_widgets/widgets/photo_view.js";
import { look, seenBy } from "../../resnet_widgets/widgets/receptive_field.js";

/** ResNet50's conv3_block4_out at 224 × 224. */
const CONV3 = /** @type {const} */ ({
  shape: [28, 28, 512],
  field: { size: [99, 99], stride: [8, 8], start: [-49, -49] },
});

test("a cell sees its receptive field", () => {
  assert.deepEqual(seenBy(CONV3.field, [0, 0, 1, 1]), [-49, -49, 50, 50]);
  assert.deepEqual(seenBy(CONV3.field, [15, 10, 16, 11]), [71, 31, 170, 130]);
});

test("a block of cells sees the hull of their fields; rows and columns are told apart", () => {
  const field = /** @type {const} */ ({ size: [3, 5], stride: [1, 2], start: [0, -1] });
  assert.deepEqual(seenBy(field, [1, 2, 3, 6]), [1, 2, 8, 8]);
});

test("a cursor on a layer gives cells and pixels", () => {
  const cursor = [15 / 28, 10 / 28, 16 / 28, 11 / 28];
  const seen = look(cursor, CONV3, [224, 224]);
  assert.deepEqual(seen, { block: [15, 10, 16, 11], pixels: [71, 31, 170, 130] });
});

test("a cell that sees everything sees the whole picture", () => {
  const field = /** @type {const} */ ({ size: [224, 160], stride: [0, 0], start: [0, 0] });
  const layer = { shape: [1, 1, 8], field };
  assert.deepEqual(look([0, 0, 1, 1], layer, [224, 160])?.pixels, [0, 0, 160, 224]);
});

test("no cursor, no layer, no map: nothing to look at", () => {
  assert.equal(look([], CONV3, [224, 224]), null);
  assert.equal(look([0, 0, 1, 1], undefined, [224, 224]), null);
  assert.equal(look([0, 0, 1, 1], { shape: [1000], field: null }, [224, 224]), null);
  const unknown = { shape: [-1, -1, 8], field: null };
  assert.equal(look([0, 0, 1, 1], unknown, [224, 224]), null);
});

test("a layer whose receptive field is not known still has cells", () => {
  const seen = look([0, 0, 0.5, 0.5], { shape: [2, 2, 1], field: null }, [8, 8]);
  assert.deepEqual(seen, { block: [0, 0, 1, 1], pixels: null });
});

const PICTURE = /** @type {any} */ ({ size: [300, 450], box: [75, 0, 375, 300] });

test("the crop fills the view", () => {
  assert.deepEqual(cropInView(PICTURE, false, 1), { x: 0, y: 0, width: 1, height: 1 });
});

test("the whole photo fits into the view, with the crop in its place", () => {
  const { x, y, width, height } = cropInView(PICTURE, true, 1);
  const near = (/** @type {number} */ a, /** @type {number} */ b) =>
    assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);
  near(width, 300 / 450);
  near(height, 300 / 450);
  near(x, 75 / 450);
  near(y, (1 - 300 / 450) / 2);
});

test("next come the rest of the block, then the stages, each once and not the one that is here", () => {
  const rows = /** @type {any} */ ([
    { path: "a", block: "" },
    { path: "b1", block: "b" },
    { path: "b2", block: "b" },
    { path: "c", block: "c" },
  ]);
  assert.deepEqual(nextLayers(rows, "b1", ["b2", "c", "b1"]), ["b2", "c"]);
  assert.deepEqual(nextLayers(rows, "a", ["c"]), ["c"]);
  assert.deepEqual(nextLayers([], "gone", []), []);
});
