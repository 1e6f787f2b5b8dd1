// What a hand can do with places: who sees a pixel, regions, two photos, columns, bookmarks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bookmarkOf } from "../../resnet_widgets/widgets/bookmark_list.js";
import { commonRange, differenceFrame } from "../../resnet_widgets/widgets/compare_view.js";
import { derivedModel } from "../../resnet_widgets/widgets/derived_model.js";
import { Frame } from "../../resnet_widgets/widgets/frame.js";
import { fieldSize, lookers, seeing } from "../../resnet_widgets/widgets/receptive_field.js";
import { boxAround } from "../../resnet_widgets/widgets/region_box.js";
import { best, regionScores, shares } from "../../resnet_widgets/widgets/region_list.js";
import { withColumn, withMoved, withoutColumn } from "../../resnet_widgets/widgets/stage_viewer.js";

/**
 * A frame of codes; `range` is the same for all channels.
 * @param {number[][]} planes
 * @param {number} width
 * @param {[number, number]} range
 */
function frameOf(planes, width, range = [0, 252]) {
  const [count, cells] = [planes.length, planes[0].length];
  const bytes = new Uint8Array(16 * count + count * cells);
  const floats = new Float32Array(4 * count);
  floats.fill(range[0], 0, count);
  floats.fill(range[1], count, 2 * count);
  bytes.set(new Uint8Array(floats.buffer));
  bytes.set(planes.flat(), 16 * count);
  return new Frame("conv", [cells / width, width, count], new DataView(bytes.buffer));
}

/** A model of plain values that counts what it tells the kernel. */
function modelOf(/** @type {Record<string, any>} */ state) {
  /** @type {[string, () => void][]} */
  let heard = [];
  return {
    saves: 0,
    get: (/** @type {string} */ name) => state[name],
    set(/** @type {string} */ name, /** @type {any} */ value) {
      state[name] = value;
      for (const [of, listener] of heard) if (of === `change:${name}`) listener();
    },
    save_changes() {
      this.saves++;
    },
    on: (/** @type {string} */ name, /** @type {() => void} */ listener) => {
      heard.push([name, listener]);
    },
    off: (/** @type {string} */ name, /** @type {() => void} */ listener) => {
      heard = heard.filter(([of, other]) => of !== name || other !== listener);
    },
  };
}

test("the cells that see a pixel are those whose field holds it, one by one", () => {
  /** @type {[number, number, number][]} */
  const axes = [
    [7, 2, -3],
    [1, 4, 0],
    [11, 4, -5],
    [99, 8, -45],
    [3, 1, -1],
    [2, 3, 1],
  ];
  let empty = 0;
  for (const [size, stride, start] of axes) {
    for (const count of [1, 5, 8]) {
      const field = { size: [size, 5], stride: [stride, 2], start: [start, -2] };
      for (let y = 0; y < 40; y++) {
        const rows = Array.from({ length: count }, (_, i) => i).filter(
          (i) => start + i * stride <= y && y < start + i * stride + size,
        );
        const found = seeing(/** @type {any} */ (field), [9, y], [count, 30]);
        // Columns 4, 5 and 6 see 6…10, 8…12 and 10…14; 9 is in those of 4 and 5, and of 3: 4…8, not.
        const expected = rows.length ? [4, rows[0], 6, rows[rows.length - 1] + 1] : [];
        assert.deepEqual(found, expected, `${[size, stride, start, count, y]}`);
        empty += Number(!rows.length);
      }
    }
  }
  assert.ok(empty > 0);
});

test("behind a global pooling every cell sees every pixel", () => {
  const field = { size: [32, 32], stride: [0, 0], start: [0, 0] };
  assert.deepEqual(seeing(/** @type {any} */ (field), [31, 0], [1, 1]), [0, 0, 1, 1]);
});

test("without a pixel, a field or places there is nothing to outline", () => {
  const field = /** @type {any} */ ({ size: [3, 3], stride: [1, 1], start: [-1, -1] });
  assert.deepEqual(lookers([0, 3], { shape: [4, 8, 2], field }), [0, 0.5, 0.25, 1]);
  assert.deepEqual(lookers([], { shape: [4, 8, 2], field }), []);
  // Where all cells look at it, a frame around each map would tell nothing.
  const wide = { ...field, size: [99, 99], start: [-49, -49] };
  assert.deepEqual(lookers([0, 3], { shape: [4, 8, 2], field: wide }), []);
  assert.deepEqual(lookers([0, 3], { shape: [4, 8, 2], field: null }), []);
  assert.deepEqual(lookers([0, 3], { shape: [8], field }), []);
  assert.deepEqual(lookers([0, 3], undefined), []);
});

test("a field is named by its true size, and by what of it is inside", () => {
  assert.equal(fieldSize([10, 20, 109, 119], [224, 224]), "sees 99 × 99 px");
  assert.equal(fieldSize([-9, 150, 90, 249], [224, 200]), "sees 90 × 74 of 99²");
  assert.equal(fieldSize([-9, 150, 90, 240], [224, 200]), "sees 90 × 74 of 99 × 90");
});

test("a box around two cells holds both, whichever comes first", () => {
  assert.deepEqual(boxAround([3, 1], [1, 1], [4, 2]), [0.25, 0.5, 1, 1]);
});

test("a share of a cell counts as that share", () => {
  assert.deepEqual(shares(0.125, 0.75, 4), [0.5, 1, 1, 0]);
});

test("scores are the difference of the means in standard deviations", () => {
  // Inside 200 and 100, outside 0 and 100: means 150 and 50, deviation of the four values 70.71.
  const frame = frameOf(
    [
      [200, 0, 100, 100],
      [7, 7, 7, 7],
      [0, 200, 0, 255],
    ],
    2,
  );
  const found = regionScores(frame, [0, 0, 0.5, 1]);
  assert.ok(found);
  assert.ok(Math.abs(found.scores[0] - 100 / Math.sqrt(5000)) < 1e-9);
  assert.equal(found.scores[1], 0);
  assert.ok(Number.isNaN(found.scores[2]));
  assert.deepEqual([found.inside[0], found.outside[0]], [150, 50]);
  assert.deepEqual(best(found.scores, 10), [0, 1]);
  assert.deepEqual(best(found.scores, 1), [0]);
});

test("means are in the unit of the channel", () => {
  const frame = frameOf([[252, 0, 126, 126]], 2, [-1, 1]);
  const found = regionScores(frame, [0, 0, 0.5, 0.5]);
  assert.deepEqual([...(found?.inside ?? [])], [1]);
});

test("there are no scores without a region, a place, or a rest", () => {
  const frame = frameOf([[1, 2, 3, 4]], 2);
  assert.equal(regionScores(frame, []), null);
  assert.equal(regionScores(frame, [0, 0, 1, 1]), null);
  assert.equal(regionScores(frameOf([[1], [2]], 1), [0, 0, 0.5, 0.5]), null);
});

test("a difference is around zero, and equal cells have the code in the middle", () => {
  const a = frameOf(
    [
      [0, 0, 0, 0],
      [252, 100, 50, 255],
    ],
    2,
    [0, 252],
  );
  const b = frameOf(
    [
      [0, 0, 0, 0],
      [0, 100, 176, 0],
    ],
    2,
    [0, 252],
  );
  const difference = differenceFrame(a, b, 1);
  assert.deepEqual([difference.low[0], difference.high[0]], [-252, 252]);
  assert.deepEqual([...difference.plane(0)], [252, 126, 63, 255]);
  assert.equal(difference.value(0, 1, 0), -126);
  assert.ok(Number.isNaN(difference.value(0, 1, 1)));
  assert.equal(difference.zeros[0], Math.fround(1 / 3));
  assert.equal(difference.strength[0], 42);
});

test("twice the same is a constant zero", () => {
  const a = frameOf([[1, 2, 3, 4]], 2);
  const difference = differenceFrame(a, a, 0);
  assert.deepEqual([...difference.plane(0)], [0, 0, 0, 0]);
  assert.equal(difference.low[0] + difference.high[0], 0);
});

test("the range of two maps holds both", () => {
  assert.deepEqual(commonRange([0, 2], [-1, 1]), [-1, 2]);
  assert.deepEqual(commonRange([0, 2], [NaN, NaN]), [0, 2]);
  assert.deepEqual(commonRange([3, 3], [3, 3]), []);
  assert.deepEqual(commonRange([NaN, NaN], [NaN, NaN]), []);
});

test("a derived model has its own traits and shares all others", () => {
  const base = modelOf({ channel: 3, cursor: [] });
  const derived = derivedModel(base, { channel: 0 });
  /** @type {string[]} */
  const heard = [];
  const own = () => heard.push("channel");
  const shared = () => heard.push("cursor");
  derived.on("change:channel", own);
  derived.on("change:cursor", shared);
  derived.set("channel", 5);
  derived.set("channel", 5);
  base.set("channel", 9);
  derived.set("cursor", [0, 0, 1, 1]);
  derived.save_changes();
  assert.deepEqual(heard, ["channel", "cursor"]);
  assert.deepEqual([derived.get("channel"), base.get("channel")], [5, 9]);
  assert.deepEqual(base.get("cursor"), [0, 0, 1, 1]);
  assert.equal(base.saves, 1);
  derived.off("change:channel", own);
  derived.off("change:cursor", shared);
  derived.set("channel", 6);
  base.set("cursor", []);
  assert.equal(heard.length, 2);
});

test("columns are added, moved and removed with their channels", () => {
  const columns = { layers: ["a", "b", "c"], channels: [1, 2, 3] };
  assert.deepEqual(withColumn(columns, "a", 9), { layers: [..."abca"], channels: [1, 2, 3, 9] });
  assert.deepEqual(withMoved(columns, 0, 1), { layers: [..."bac"], channels: [2, 1, 3] });
  assert.deepEqual(withMoved(columns, 2, -1), { layers: [..."acb"], channels: [1, 3, 2] });
  assert.deepEqual(withMoved(columns, 0, -1), columns);
  assert.deepEqual(withMoved(columns, 2, 1), columns);
  assert.deepEqual(withoutColumn(columns, 1), { layers: ["a", "c"], channels: [1, 3] });
});

test("a bookmark holds all it takes to come back", () => {
  const range = { blend: 0.5, symmetric: false, clip: 1, limits: [0, 2], colormap: "gray" };
  const shown = { layer: "conv", channel: 4, region: [0, 0, 1, 0.5] };
  const photos = { photo: "ab", picture: { name: "cat.jpg" } };
  const second = { compare_photo: "cd", compare_picture: { name: "rocket.jpg" } };
  const model = modelOf({ ...shown, ...photos, ...second });
  const edits = [{ kind: "mute", layer: "conv", channels: [1] }];
  assert.deepEqual(bookmarkOf(model, modelOf(range), modelOf({ edits }), "ear"), {
    ...shown,
    photo: "cat.jpg",
    digest: "ab",
    compare: "rocket.jpg",
    compare_digest: "cd",
    note: "ear",
    colours: range,
    edits,
  });
});
