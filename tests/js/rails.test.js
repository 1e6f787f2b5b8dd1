import assert from "node:assert/strict";
import { test } from "node:test";
import { railsOf, takersOf } from "../../resnet_widgets/widgets/rails.js";

const KINDS = {
  conv: "Conv2D",
  bn: "BatchNormalization",
  relu: "Activation",
  add: "Add",
  times: "Multiply",
  concat: "Concatenate",
  pad: "ZeroPadding2D",
  pool: "MaxPooling2D",
  input: "InputLayer",
};

/** Rows from `name: inputs`; the end of a name says the kind. */
function rowsOf(layers) {
  return Object.entries(layers).map(([path, inputs]) => ({
    path,
    inputs,
    kind: KINDS[path.split("_").at(-1)] ?? path,
  }));
}

/** The rows of a run as text: the lines beside each, then its layers. */
function drawn(layers, after = {}) {
  const rows = rowsOf(layers);
  return railsOf(rows, takersOf([...rows, ...rowsOf(after)])).map(({ rows: site, rail }) => {
    const names = site.map(({ path }) => path).join(" ");
    if (!rail) return names;
    const lanes = Array.from({ length: rail.lanes }, (_, lane) => {
      if (lane === rail.lane) return { add: "+", multiply: "×", merge: "o", dot: "•" }[rail.sign];
      if (rail.moves.some(([, to]) => to === lane)) return "╮";
      if (rail.into.includes(lane) && !rail.through.includes(lane)) return "╯";
      return rail.through.includes(lane) ? "│" : " ";
    });
    return `${lanes.join("")}${rail.out ? "↓" : " "} ${names}`;
  });
}

const WAY = {
  "1_conv": ["x"],
  "1_bn": ["1_conv"],
  "1_relu": ["1_bn"],
  "2_conv": ["1_relu"],
  "2_bn": ["2_conv"],
};

test("a block with an identity shortcut", () => {
  assert.deepEqual(drawn({ ...WAY, add: ["x", "2_bn"], out_relu: ["add"] }), [
    "•╮↓ 1_conv 1_bn 1_relu",
    "•│↓ 2_conv 2_bn",
    "+╯  add out_relu",
  ]);
});

test("a block with a projection: its sites are whole though the graph lists them mixed", () => {
  const mixed = {
    "1_conv": ["x"],
    "0_conv": ["x"],
    "1_relu": ["1_conv"],
    "0_bn": ["0_conv"],
    "2_conv": ["1_relu"],
    add: ["0_bn", "2_conv"],
    out_relu: ["add"],
  };
  assert.deepEqual(drawn(mixed), [
    "•╮↓ 1_conv 1_relu",
    "•│↓ 2_conv",
    "│•↓ 0_conv 0_bn",
    "+╯  add out_relu",
  ]);
});

test("a block that is normalised before it forks, as in ResNet V2", () => {
  const rows = {
    "0_bn": ["x"],
    "0_relu": ["0_bn"],
    "1_conv": ["0_relu"],
    "2_conv": ["1_conv"],
    side_conv: ["0_relu"],
    add: ["side_conv", "2_conv"],
  };
  assert.deepEqual(drawn(rows), [
    "• ↓ 0_bn 0_relu",
    "•╮↓ 1_conv",
    "•│↓ 2_conv",
    "│•↓ side_conv",
    "+╯  add",
  ]);
});

test("four ways into one join; five are no picture", () => {
  const ways = (count) => {
    const names = Array.from({ length: count }, (_, index) => `${index}_conv`);
    return { ...Object.fromEntries(names.map((name) => [name, ["x"]])), concat: names };
  };
  assert.deepEqual(drawn(ways(4)), [
    "•╮  ↓ 0_conv",
    "│•╮ ↓ 1_conv",
    "││•╮↓ 2_conv",
    "│││•↓ 3_conv",
    "o╯╯╯  concat",
  ]);
  assert.deepEqual(drawn(ways(5)).at(-1), "concat");
});

test("a way around another way", () => {
  const rows = {
    "1_conv": ["x"],
    squeeze_pool: ["1_conv"],
    times: ["1_conv", "squeeze_pool"],
    add: ["times", "x"],
  };
  assert.deepEqual(drawn(rows), ["•╮ ↓ 1_conv", "•│╮↓ squeeze_pool", "×│╯↓ times", "+╯   add"]);
});

test("a chain is one line; what follows outside has none", () => {
  const rows = { input: [], pad: ["input"], conv: ["pad"], pool: ["conv"] };
  assert.deepEqual(drawn(rows, { next_conv: ["pool"] }), ["•↓ input", "•↓ pad conv", "•  pool"]);
});

test("a site ends where its output is needed elsewhere, and at three layers", () => {
  const needed = { a_conv: ["x"], a_bn: ["a_conv"], a_relu: ["a_bn"], b_conv: ["a_bn"] };
  assert.deepEqual(drawn(needed)[0], "• ↓ a_conv a_bn");
  const outside = drawn({ a_conv: ["x"], a_relu: ["a_conv"] }, { b_conv: ["a_conv"] });
  assert.deepEqual(outside, ["•↓ a_conv", "•  a_relu"]);
  const long = { a_conv: ["x"], a_bn: ["a_conv"], a_relu: ["a_bn"], b_bn: ["a_relu"] };
  assert.deepEqual(drawn(long), ["•↓ a_conv a_bn a_relu", "•  b_bn"]);
  const padded = { pad: ["x"], conv: ["pad"], bn: ["conv"], relu: ["bn"] };
  assert.deepEqual(drawn(padded), ["•↓ pad", "•  conv bn relu"]);
});

test("no layer gets lost, whatever the graph", () => {
  const loop = { a_conv: ["b_bn"], b_bn: ["a_conv"], c_bn: ["c_bn"], d: ["nowhere", "d"] };
  const names = (lines) => lines.flatMap((line) => line.match(/\w+/g)).sort();
  assert.deepEqual(names(drawn(loop)), ["a_conv", "b_bn", "c_bn", "d"]);
  assert.deepEqual(drawn({ alone_conv: [] }), ["alone_conv"]);
  assert.deepEqual(drawn({}), []);
});
