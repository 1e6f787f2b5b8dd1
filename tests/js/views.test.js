import assert from "node:assert/strict";
import { test } from "node:test";
import { titleOf } from "../../resnet_widgets/widgets/activation_map.js";
import { barPath, columnValues } from "../../resnet_widgets/widgets/bars.js";
import { playPause } from "../../resnet_widgets/widgets/channel_slider.js";
import { stepSlider } from "../../resnet_widgets/widgets/channel_track.js";
import { blockValue, cursorCells, readingOf } from "../../resnet_widgets/widgets/cursor.js";
import { evenly } from "../../resnet_widgets/widgets/explain_parts.js";
import {
  clampZoom,
  rowsToPaint,
  scrollToTile,
  sheetLayout,
  tileAt,
  walkSheet,
} from "../../resnet_widgets/widgets/sheet_layout.js";
import { columnNames } from "../../resnet_widgets/widgets/stage_viewer.js";
import { channelNote } from "../../resnet_widgets/widgets/value_panel.js";

test("bars that share a column show the number furthest from zero", () => {
  assert.deepEqual(columnValues([1, 2, 3], 10), [1, 2, 3]);
  assert.deepEqual(columnValues([1, 5, -7, 2, 0, 3], 3), [5, -7, 3]);
  assert.deepEqual(columnValues([], 5), [0]);
});

test("every channel has a column, however few there are", () => {
  const values = Array(2048).fill(0);
  for (const channel of [0, 1000, 2047]) {
    values[channel] = 1;
    assert.ok(columnValues(values, 300).includes(1));
    values[channel] = 0;
  }
});

test("bars grow from the zero line", () => {
  assert.equal(barPath([1, 0.5], 1), "M0 100.00v-100.00h1V100.00zM1 100.00v-50.00h1V100.00z");
  assert.equal(barPath([3, -1], 1), "M0 75.00v-75.00h1V75.00zM1 75.00v25.00h1V75.00z");
});

test("sheets of ResNet50's layers fit the width, with tiles one can see", () => {
  for (const count of [1, 64, 256, 2048]) {
    for (const width of [240, 480, 836]) {
      const { columns, rows, tileWidth, pitch, height } = sheetLayout(count, width, 1);
      const end = Math.round((columns - 1) * pitch) + tileWidth;
      assert.ok(pitch >= tileWidth + 2 && end <= width, `${count} in ${width}`);
      if (rows > 1) assert.ok(end >= width - 2, `${count} in ${width} ends at ${end}`);
      assert.ok(tileWidth >= 28);
      assert.ok(columns * rows >= count && columns * (rows - 1) < count);
      assert.equal(height, rows * (tileWidth + 2) - 2);
    }
  }
  assert.equal(sheetLayout(3, 836, 1).tileWidth, 72);
});

test("a sheet is low where it can be, and its last row is not a stub", () => {
  assert.ok(sheetLayout(64, 480, 1).height <= 170);
  assert.deepEqual([sheetLayout(64, 838, 1).columns, sheetLayout(64, 838, 1).rows], [22, 3]);
});

test("tiles have the shape of the planes", () => {
  const { tileWidth, tileHeight } = sheetLayout(10, 400, 0.5);
  assert.equal(tileHeight, Math.round(tileWidth / 2));
});

test("a sheet narrower than a tile still has one column", () => {
  assert.deepEqual(sheetLayout(2, 10, 1).tileWidth, 10);
});

test("zoom makes tiles larger, in rows that still fill the width, up to the width", () => {
  for (const zoom of [0.5, Math.SQRT2, 4]) {
    const fitted = sheetLayout(256, 836, 1);
    const { columns, rows, tileWidth, pitch } = sheetLayout(256, 836, 1, zoom);
    const end = Math.round((columns - 1) * pitch) + tileWidth;
    assert.ok(end >= 834 && end <= 836 && columns * rows >= 256, `${zoom}: ${end}`);
    const grown = tileWidth / fitted.tileWidth;
    assert.ok(grown > 0.9 * zoom && grown < 1.35 * zoom, `${zoom}: ${grown}`);
  }
  assert.deepEqual(sheetLayout(256, 836, 1, 16).columns, 1);
  assert.equal(sheetLayout(3, 836, 1, 2).tileWidth, 144);
  assert.deepEqual([clampZoom(0.1), clampZoom(99), clampZoom(2.23456)], [0.5, 16, 2.235]);
});

test("what is painted is what is in view, and as much again around it", () => {
  const layout = sheetLayout(2048, 836, 1);
  const pitch = layout.tileHeight + 2;
  assert.deepEqual(rowsToPaint(layout, 0, 240), [0, Math.ceil(480 / pitch)]);
  const [first, end] = rowsToPaint(layout, 1000, 240);
  assert.ok(first * pitch <= 760 && (first + 1) * pitch > 760 && end * pitch >= 1480);
  assert.equal(rowsToPaint(layout, 1e6, 240)[1], layout.rows);
  assert.deepEqual(tileAt(layout, layout.columns + 1), { x: Math.round(layout.pitch), y: pitch });
});

test("those who want no motion get two channels a second at most", () => {
  assert.deepEqual([playPause(8, false), playPause(8, true), playPause(1, true)], [125, 500, 1000]);
});

test("keys walk the sheet and stay inside", () => {
  const walk = (key, position) => walkSheet(key, position, 10, 4);
  assert.deepEqual([walk("ArrowRight", 3), walk("ArrowLeft", 4)], [4, 3]);
  assert.deepEqual([walk("ArrowDown", 3), walk("ArrowUp", 5)], [7, 1]);
  assert.deepEqual([walk("ArrowUp", 2), walk("ArrowDown", 7), walk("ArrowRight", 9)], [2, 7, 9]);
  assert.deepEqual([walk("Home", 5), walk("End", 5)], [0, 9]);
  assert.deepEqual([walk("PageUp", 5), walk("PageDown", 5)], [0, 9]);
  assert.equal(walk("x", 5), -1);
});

test("keys step the slider; a page is a tenth", () => {
  const step = (key, position) => stepSlider(key, position, 64);
  assert.deepEqual([step("ArrowRight", 5), step("ArrowUp", 5)], [6, 6]);
  assert.deepEqual([step("ArrowLeft", 5), step("ArrowDown", 5)], [4, 4]);
  assert.deepEqual([step("PageUp", 5), step("PageDown", 20)], [11, 14]);
  assert.deepEqual([step("ArrowLeft", 0), step("PageUp", 60)], [0, 63]);
  assert.deepEqual([step("Home", 5), step("End", 5), step("x", 5)], [0, 63, -1]);
});

test("a cursor covers whole cells: one larger cell, or a block of smaller ones", () => {
  const cell = [3 / 7, 2 / 7, 4 / 7, 3 / 7];
  assert.deepEqual(cursorCells(cell, 7, 7), [3, 2, 4, 3]);
  assert.deepEqual(cursorCells(cell, 28, 28), [12, 8, 16, 12]);
  assert.deepEqual(cursorCells([15 / 28, 10 / 28, 16 / 28, 11 / 28], 7, 7), [3, 2, 4, 3]);
  for (let x = 0; x < 112; x++) {
    assert.deepEqual(cursorCells([x / 112, 0, (x + 1) / 112, 1], 112, 1), [x, 0, x + 1, 1]);
  }
});

const frame = { value: (channel, row, column) => channel + 10 * row + column };

test("a reading is one value, or the mean of a block", () => {
  assert.equal(readingOf(frame, 0.5, [2, 1, 3, 2]), "row 1 col 2 ≈ 12.5");
  assert.equal(readingOf(frame, 0, [2, 1, 4, 2]), "row 1 col 2–3 mean ≈ 12.5");
  assert.equal(blockValue(frame, 0, [0, 0, 2, 2]), 5.5);
});

test("the view begins where a row does, as near as will do", () => {
  const view = { top: 0, height: 100 };
  assert.equal(scrollToTile(64, 30, view), 0);
  assert.equal(scrollToTile(96, 30, view), 32, "26 would cut the first row");
  assert.equal(scrollToTile(32, 30, { top: 96, height: 100 }), 32);
  assert.equal(scrollToTile(64, 30, { top: 64, height: 30 }), 64);
  assert.equal(scrollToTile(96, 30, { top: 64, height: 31 }), 96);
  // Higher than the view: gone to where nothing of it is seen.
  assert.equal(scrollToTile(192, 94, { top: 0, height: 50 }), 192);
  assert.equal(scrollToTile(40, 94, { top: 0, height: 50 }), 0);
});

test("columns are named by stage where that tells them apart", () => {
  assert.deepEqual(columnNames(["resnet50/conv2_block3_out", "conv5_block3_out"]), [
    "conv2",
    "conv5",
  ]);
  assert.deepEqual(columnNames(["a/conv2_block1_out", "conv2_block3_out"]), [
    "conv2_block1_out",
    "conv2_block3_out",
  ]);
});

test("a channel without structure says so", () => {
  const channels = { muted: [], low: [0, 1.5, NaN, 0], high: [0, 1.5, NaN, 2] };
  const note = (channel) => channelNote(channels, channel);
  assert.equal(note(0), "dead: all zero for this photo");
  assert.equal(note(1), "constant 1.50");
  assert.equal(note(2), "no finite value");
  assert.equal(note(3), "");
});

test("the title says which channel of how many, or in which order", () => {
  const model = (state) => ({ get: (name) => ({ layer: "conv", order: "index", ...state })[name] });
  const shown = { channels: 4, zeros: Float32Array.of(1, 0.5, 0, 1), isVector: false };
  const [layer, facts] = titleOf(model({ mode: "single", channel: 9 }), shown);
  assert.deepEqual([layer, facts.join("")], ["conv", "ch 3 of 4"]);
  const order = (name, reference) =>
    titleOf(model({ mode: "grid", order: name, reference }), shown)[1].join("");
  assert.equal(titleOf(model({ mode: "grid" }), shown)[0], "All 4 channels");
  assert.deepEqual(
    [order("index"), order("zeros"), order("similarity", 3)],
    ["by index", "sorted by share of zeros", "sorted like ch 3"],
  );
  assert.deepEqual(titleOf(model({ mode: "grid" }), { channels: 9, isVector: true }), [
    "conv",
    ["9 values", "", ""],
  ]);
  assert.deepEqual(titleOf(model({}), null), ["conv", ["", "", ""]]);
});

test("the numbers of a column have as many decimals as the largest needs", () => {
  const written = (...values) => values.map(evenly(values));
  assert.deepEqual(written(-0.13634, 0.135, 0.0099), ["−0.136", "0.135", "0.010"]);
  assert.deepEqual(written(0.00852, -0.0083), ["0.00852", "−0.00830"]);
  assert.deepEqual(written(1234.5, 2), ["1235", "2"]);
  assert.deepEqual(written(2e-7, 0), ["2.00e−7", "0"]);
  assert.deepEqual(written(null, 0.5), ["not finite", "0.500"]);
});
