import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arrangeBlock,
  badgeOf,
  buildTree,
  factsOf,
  figureOf,
  layersOf,
  search,
  shortName,
  typeAhead,
  visible,
} from "../../resnet_widgets/widgets/layers.js";

/** A layer's row; what a test does not name does not matter to it. */
function row(path, { inputs = [], ...rest } = {}) {
  const block = /^(conv\d_block\d)_/.exec(path)?.[1] ?? "";
  return {
    path,
    name: path,
    kind: path.endsWith("add") ? "Add" : "Conv2D",
    stage: path.slice(0, 5),
    block,
    shape: [28, 28, 512],
    dtype: "float32",
    parameters: 0,
    field: null,
    inputs,
    ...rest,
  };
}

/** Rows of one block from `name: inputs`; names are without `conv3_block1_`. */
function block(layers) {
  const full = (name) => (name.startsWith("conv") ? name : `conv3_block1_${name}`);
  return Object.entries(layers).map(([name, inputs]) =>
    row(full(name), { inputs: inputs.map(full) }),
  );
}

/** Short names in the order shown; those of the shortcut in brackets. */
function arranged(layers) {
  return arrangeBlock(block(layers)).map(({ row: { path }, isShortcut }) => {
    const short = shortName(path, "conv3_block1");
    return isShortcut ? `(${short})` : short;
  });
}

test("the layers of a projection shortcut stand together, just before the addition", () => {
  const order = arranged({
    "1_conv": ["conv2_block3_out"],
    "1_relu": ["1_conv"],
    "0_conv": ["conv2_block3_out"],
    "2_conv": ["1_relu"],
    "0_bn": ["0_conv"],
    "2_bn": ["2_conv"],
    add: ["0_bn", "2_bn"],
    out: ["add"],
  });
  assert.deepEqual(order, "1_conv 1_relu 2_conv 2_bn (0_conv) (0_bn) add out".split(" "));
});

test("the order in which the two ways are added does not matter", () => {
  const layers = { "0_conv": [], "1_conv": [], "2_conv": ["1_conv"] };
  const order = arranged({ ...layers, add: ["2_conv", "0_conv"] });
  assert.deepEqual(order, ["1_conv", "2_conv", "(0_conv)", "add"]);
});

test("an identity shortcut moves nothing", () => {
  const layers = { "1_conv": ["conv2_block3_out"], "1_bn": ["1_conv"] };
  const order = arranged({ ...layers, add: ["conv2_block3_out", "1_bn"], out: ["add"] });
  assert.deepEqual(order, ["1_conv", "1_bn", "add", "out"]);
});

test("what both ways share, as in ResNet V2, is no shortcut; names do not matter", () => {
  const order = arranged({
    preact: ["conv2_block3_out"],
    max_pooling: ["preact"],
    "1_conv": ["preact"],
    "2_conv": ["1_conv"],
    add: ["max_pooling", "2_conv"],
  });
  assert.deepEqual(order, "preact 1_conv 2_conv (max_pooling) add".split(" "));
});

test("only an addition has a shortcut", () => {
  const layers = { "0_conv": [], "1_conv": [], "2_conv": ["1_conv"] };
  const order = arranged({ ...layers, concat: ["0_conv", "2_conv"] });
  assert.deepEqual(order, ["0_conv", "1_conv", "2_conv", "concat"]);
});

test("two ways of the same length are left as they are, and loops end", () => {
  const order = arranged({
    a: ["b"],
    b: ["a"],
    c: ["conv2_out"],
    d: ["conv2_out"],
    add: ["c", "d"],
  });
  assert.deepEqual(order, ["a", "b", "c", "d", "add"]);
});

test("layers are grouped by stage and block, with the prefix of the parent left out", () => {
  const rows = ["conv1_pad", "conv3_block1_1_conv", "conv3_block1_out", "conv3_block2_out"];
  const { root, layers } = buildTree(rows.map((path) => row(path)));
  const shape = (node) => (node.row ? node.label : { [node.label]: node.children.map(shape) });
  assert.deepEqual(root.children.map(shape), [
    { conv1: ["conv1_pad"] },
    { conv3: [{ block1: ["1_conv", "out"] }, { block2: ["out"] }] },
  ]);
  assert.equal(layers.get("conv3_block2_out").parent.name, "conv3_block2");
});

test("a layer of a nested model shows its own name; its path stays its name", () => {
  const { layers } = buildTree([row("net/conv2_block1_out", { block: "conv2_block1" })]);
  const node = layers.get("net/conv2_block1_out");
  assert.deepEqual([node.label, node.name], ["out", "net/conv2_block1_out"]);
});

test("names that mean something to JavaScript are just names", () => {
  const rows = ["__proto__", "constructor", "toString"].map((path) =>
    row(path, { stage: "__proto__", block: "constructor" }),
  );
  const { root, layers } = buildTree(rows);
  assert.equal(layers.size, 3);
  assert.deepEqual(
    layersOf(root).map((node) => node.label),
    ["__proto__", "constructor", "toString"],
  );
});

test("layers without a stage stand at the top", () => {
  const { root } = buildTree([row("a", { stage: "" }), row("b", { stage: "" })]);
  assert.deepEqual(
    root.children.map((node) => node.name),
    ["a", "b"],
  );
});

test("a short name is what follows the prefix and its underscore, never nothing", () => {
  assert.equal(shortName("conv2_block1_1_conv", "conv2_block1"), "1_conv");
  assert.equal(shortName("conv2_block10_out", "conv2_block1"), "conv2_block10_out");
  assert.equal(shortName("conv2_", "conv2"), "conv2_");
  assert.equal(shortName("_x", ""), "_x");
});

test("figures: blocks and size of a stage, shape of a block, channels of a layer", () => {
  const { root } = buildTree([
    row("conv1_pad", { shape: [230, 230, 3] }),
    row("conv1_conv", { shape: [112, 112, 64] }),
    row("conv1_relu", { shape: [112, 112, 64] }),
    row("conv3_block1_1_conv", { shape: [28, 28, 128] }),
    row("conv3_block1_out"),
    row("conv3_block2_out", { shape: [28, 30, 512] }),
    row("predictions", { stage: "head", shape: [1000] }),
    row("free_conv", { stage: "free", shape: [-1, -1, 8] }),
  ]);
  assert.deepEqual(root.children.map(figureOf), ["112²", "28² · 2 blocks", "1000 units", "?²"]);
  const blocks = root.children[1].children;
  assert.deepEqual(blocks.map(figureOf), ["28² × 512", "28 × 30 × 512"]);
  assert.equal(figureOf(blocks[0].children[0]), "128");
});

test("a stage's size is that of its work: not of its input, padding or last pooling", () => {
  const { root } = buildTree([
    row("input", { stage: "conv1", kind: "InputLayer", shape: [224, 224, 3] }),
    row("conv1_pad", { kind: "ZeroPadding2D", shape: [230, 230, 3] }),
    row("conv1_conv", { shape: [112, 112, 64] }),
    row("pool1_pool", { stage: "conv1", kind: "MaxPooling2D", shape: [56, 56, 64] }),
    row("conv9_pad", { kind: "ZeroPadding2D", shape: [9, 9, 3] }),
  ]);
  assert.deepEqual(root.children.map(figureOf), ["112²", "9²"]);
});

test("facts: kind, shape, dtype, parameters and what a cell sees", () => {
  const field = { size: [99, 99], stride: [8, 8], start: [0, 0] };
  assert.deepEqual(factsOf(row("conv3_out", { parameters: 2359808, field })), [
    "Conv2D · 28 × 28 × 512",
    "2,359,808 parameters",
    "sees 99 × 99 px, stride 8",
  ]);
  const wide = { size: [7, 9], stride: [2, 4] };
  assert.equal(factsOf(row("x", { field: wide }))[2], "sees 7 × 9 px, stride 2 × 4");
  const vector = { size: [224, 224], stride: [0, 0] };
  assert.equal(factsOf(row("x", { field: vector }))[2], "sees 224 × 224 px");
  assert.deepEqual(factsOf(row("x")).slice(1), ["no parameters"]);
});

test("every kind of Keras layer has the badge of its family", () => {
  const letters = Object.entries({
    C: ["Conv2D", "DepthwiseConv2D", "SeparableConv2D"],
    B: ["BatchNormalization"],
    R: ["Activation", "ReLU", "LeakyReLU", "Relu", "Softmax"],
    "+": ["Add", "Concatenate", "Multiply"],
    P: ["MaxPooling2D", "GlobalAveragePooling2D", "ZeroPadding2D"],
    D: ["Dense"],
    I: ["InputLayer"],
    "·": ["Dropout", "Flatten", "Rescaling", "AddedByMe", "", "<img>"],
  });
  for (const [letter, kinds] of letters) {
    for (const kind of kinds) assert.equal(badgeOf(kind).letter, letter, kind);
  }
});

const TREE = buildTree([
  row("conv1_relu", { kind: "Activation" }),
  row("conv3_block1_1_conv"),
  row("conv3_block1_2_conv"),
  row("conv3_block2_1_bn", { kind: "BatchNormalization" }),
]);

test("a search finds every word in path, kind or group, in any case", () => {
  const hits = (text) => search(TREE.root, text)?.hits.map((node) => node.name);
  assert.deepEqual(hits("ACTIV"), ["conv1_relu"]);
  assert.deepEqual(hits("conv3  bn"), ["conv3_block2_1_bn"]);
  assert.deepEqual(hits("batchnorm"), ["conv3_block2_1_bn"]);
  assert.deepEqual(hits("k1_"), ["conv3_block1_1_conv", "conv3_block1_2_conv"]);
  assert.deepEqual(hits("nothing like it"), []);
  assert.equal(hits("  "), undefined);
});

test("a search keeps the parents of what it finds, and only those", () => {
  const { shown } = search(TREE.root, "bn");
  const open = new Set(shown);
  const names = visible(TREE.root, open, shown).map((node) => node.name);
  assert.deepEqual(names, ["conv3", "conv3_block2", "conv3_block2_1_bn"]);
});

test("layers of a shortcut are found by that word", () => {
  const rows = block({
    "0_conv": [],
    "1_conv": [],
    "2_conv": ["1_conv"],
    add: ["0_conv", "2_conv"],
  });
  const { hits } = search(buildTree(rows).root, "short");
  assert.deepEqual(
    hits.map((node) => node.label),
    ["0_conv"],
  );
});

test("only what is open can be seen", () => {
  const [conv1, conv3] = TREE.root.children;
  assert.deepEqual(visible(TREE.root, new Set()), [conv1, conv3]);
  const [one, two] = conv3.children;
  assert.deepEqual(visible(TREE.root, new Set([conv3])), [conv1, conv3, one, two]);
  assert.equal(visible(TREE.root, new Set([one])).length, 2, "an open block in a closed stage");
});

test("typing leads to the next row that starts so", () => {
  const nodes = ["conv1", "1_conv", "1_bn", "out", "conv3"].map((label) => ({
    label,
    name: `block_${label}`,
  }));
  assert.equal(typeAhead(nodes, 0, "1"), 1);
  assert.equal(typeAhead(nodes, 1, "1"), 2, "a letter moves on");
  assert.equal(typeAhead(nodes, 2, "11"), 1, "a repeated one too, and around the end");
  assert.equal(typeAhead(nodes, 1, "1_C"), 1, "a word stays where it fits");
  assert.equal(typeAhead(nodes, 1, "1_b"), 2);
  assert.equal(typeAhead(nodes, 0, "block_out"), 3, "the full name counts");
  assert.equal(typeAhead(nodes, 0, "x"), -1);
  assert.equal(typeAhead([], 0, "x"), -1);
});
