import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COLORMAPS,
  cellSpans,
  channelColors,
  channelMarks,
  colormapName,
  colormapTable,
  countMarks,
  NO_NUMBER,
  paintTile,
} from "../../resnet_widgets/widgets/colors.js";
import { tilePlanes } from "../../resnet_widgets/widgets/tile_planes.js";

const hex = (pixel) => {
  const bytes = [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

test("auto is diverging around zero only", () => {
  assert.equal(colormapName("auto", false), "viridis");
  assert.equal(colormapName("auto", true), "coolwarm");
  assert.equal(colormapName("magma", true), "magma");
  assert.equal(colormapName("no such map", false), "viridis");
});

test("every table goes from its first stop to its last, opaque", () => {
  for (const name of COLORMAPS) {
    const table = colormapTable(name);
    assert.equal(table.length, 256);
    assert.ok(table.every((pixel) => pixel >>> 24 === 255));
  }
  const gray = colormapTable("gray");
  assert.deepEqual([hex(gray[0]), hex(gray[128]), hex(gray[255])], ["000000", "808080", "ffffff"]);
});

test("a byte's colour is that of its value in the range", () => {
  const gray = colormapTable("gray");
  const colors = channelColors(gray, 0, 8, [0, 8]);
  assert.deepEqual([colors[0], colors[126], colors[252]], [gray[0], gray[128], gray[255]]);
  const half = channelColors(gray, 0, 4, [0, 8]);
  assert.equal(half[252], gray[128]);
  const outside = channelColors(gray, -1, 9, [0, 8]);
  assert.deepEqual([outside[0], outside[252]], [gray[0], gray[255]]);
});

test("a constant channel has one colour; cells without a number have one on no colormap", () => {
  const colors = channelColors(colormapTable("viridis"), 3, 3, [3, 3]);
  assert.equal(new Set(colors.subarray(0, 253)).size, 1);
  for (const code of [253, 254, 255]) assert.equal(hex(colors[code]), NO_NUMBER);
  for (const name of COLORMAPS) {
    assert.ok([...colormapTable(name)].every((pixel) => hex(pixel) !== NO_NUMBER));
  }
});

test("marks are for values outside the range and cells without a number, and are counted", () => {
  const marks = channelMarks(0, 10, [2, 8]);
  assert.deepEqual(
    [0, 50, 51, 201, 202, 252, 253, 254, 255].map((code) => marks[code]),
    ["below", "below", "", "", "above", "above", "minus", "plus", "nan"],
  );
  const counts = countMarks(Uint8Array.of(0, 0, 126, 252, 253, 254, 255, 255), marks);
  assert.deepEqual(counts, { below: 2, above: 1, minus: 1, plus: 1, nan: 2 });
});

test("a channel's own range marks nothing, also where float32 has rounded it", () => {
  const low = Math.fround(0.1);
  const high = Math.fround(0.3);
  const marks = channelMarks(low, high, [0.1, 0.3]);
  assert.ok(marks.slice(0, 253).every((mark) => mark === ""));
});

/** What a tile of `size` pixels looks like, as codes. */
function tile(plane, width, height, size, { x = 0, y = 0, stride = size, rows = size } = {}) {
  const out = new Uint32Array(stride * rows).fill(999);
  const identity = Uint32Array.from({ length: 256 }, (_, code) => code);
  const [across, down] = [cellSpans(width, size), cellSpans(height, size)];
  paintTile(out, stride, x, y, across, down, plane, width, identity);
  return [...out];
}

test("a larger tile repeats cells", () => {
  assert.deepEqual(
    tile(Uint8Array.of(1, 2, 3, 4), 2, 2, 4),
    [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4],
  );
});

test("a smaller tile shows means, and a cell without a number is never lost", () => {
  const plane = Uint8Array.of(0, 10, 4, 4, 20, 30, 4, 4, 0, 0, 9, 9, 255, 0, 9, 9);
  assert.deepEqual(tile(plane, 4, 4, 2), [15, 4, 255, 9]);
});

test("a tile is painted in its place, and nothing else is", () => {
  const painted = tile(Uint8Array.of(7), 1, 1, 2, { x: 1, y: 1, stride: 4, rows: 2 });
  assert.deepEqual(painted, [999, 999, 999, 999, 999, 7, 7, 999]);
});

test("a sheet shrinks a plane once for each frame and size of its tiles", () => {
  const plane = Uint8Array.of(0, 10, 4, 4, 20, 30, 4, 4, 0, 0, 9, 9, 255, 0, 9, 9);
  const frame = () => ({ columns: 4, rows: 4, plane: () => plane });
  const planesFor = tilePlanes();
  const [one, other] = [frame(), frame()];
  const small = planesFor(one, 2, 2);
  assert.deepEqual([small.stride, ...small.planeOf(0)], [2, 15, 4, 255, 9]);
  assert.deepEqual([...small.columns.start, ...small.rows.end], [0, 1, 1, 2]);
  assert.equal(planesFor(one, 2, 2).planeOf(0), small.planeOf(0));
  assert.notEqual(planesFor(other, 2, 2).planeOf(0), small.planeOf(0));
  assert.equal(planesFor(other, 3, 3).planeOf(0).length, 9);
  const large = planesFor(other, 8, 8);
  assert.equal(large.planeOf(0), plane);
  assert.deepEqual([large.stride, ...large.columns.start], [4, 0, 0, 1, 1, 2, 2, 3, 3]);
});
