import assert from "node:assert/strict";
import { test } from "node:test";
import {
  buildTree,
  factsOf,
  figureOf,
  layersOf,
  linesOf,
  search,
  shortcutOf,
  shortName,
  typeAhead,
  wordsOf,
} from "../../resnet_widgets/widgets/layers.js";

/** A layer's row; what a test does not name does not matter to it. */
function row(path, { inputs = [], ...rest } = {}) {
  const block = /^(conv\d_block\d)_/.exec(path)?.[1] ?? "";
  return {
    path,
    name: path,
    kind: path.endsWith("add") ? "Add" : "Conv2D",
    detail: "",
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

/** Short names of the layers on a shortcut. */
function shortcut(layers) {
  return [...shortcutOf(block(layers))].map(({ path }) => shortName(path, "conv3_block1")).sort();
}

test("the shorter of two ways into an addition is the shortcut, in whatever order they come", () => {
  const ways = { "0_conv": [], "0_bn": ["0_conv"], "1_conv": [], "2_conv": ["1_conv"] };
  const three = { ...ways, "3_conv": ["2_conv"] };
  assert.deepEqual(shortcut({ ...three, add: ["0_bn", "3_conv"] }), ["0_bn", "0_conv"]);
  assert.deepEqual(shortcut({ ...three, add: ["3_conv", "0_bn"] }), ["0_bn", "0_conv"]);
});

test("an identity shortcut has no layers, and what both ways share is on neither", () => {
  const plain = { "1_conv": ["conv2_block3_out"], "1_bn": ["1_conv"] };
  assert.deepEqual(shortcut({ ...plain, add: ["conv2_block3_out", "1_bn"] }), []);
  const preact = { preact: ["conv2_block3_out"], max_pooling: ["preact"], "1_conv": ["preact"] };
  const found = shortcut({ ...preact, "2_conv": ["1_conv"], add: ["max_pooling", "2_conv"] });
  assert.deepEqual(found, ["max_pooling"]);
});

test("ways of one length, or joined otherwise, are no shortcut, and loops end", () => {
  assert.deepEqual(shortcut({ a: ["b"], b: ["a"], c: [], d: [], add: ["c", "d"] }), []);
  assert.deepEqual(shortcut({ a: [], b: [], c: ["b"], concat: ["a", "c"] }), []);
});

test("what is drawn in one line, and in which order", () => {
  const { root, layers } = buildTree(
    block({
      "1_conv": ["conv2_block3_out"],
      "0_conv": ["conv2_block3_out"],
      "2_conv": ["1_conv"],
      add: ["0_conv", "2_conv"],
    }),
  );
  const group = root.children[0].children[0];
  assert.deepEqual(
    group.lines.map((line) => line.nodes.map((node) => node.label)),
    [["1_conv"], ["2_conv"], ["0_conv"], ["add"]],
  );
  assert.deepEqual(
    group.children,
    group.lines.flatMap((line) => line.nodes),
  );
  assert.ok(layers.get("conv3_block1_0_conv").isShortcut);
  assert.ok(group.lines.every((line) => line.rail));
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
  const factsAbout = (one) => factsOf(buildTree([one]).layers.get(one.path));
  const field = { size: [99, 99], stride: [8, 8], start: [0, 0] };
  assert.deepEqual(factsAbout(row("conv3_out", { parameters: 2359808, field })), [
    "Conv2D · 28 × 28 × 512",
    "2,359,808 parameters",
    "sees 99 × 99 px, stride 8",
  ]);
  const wide = { size: [7, 9], stride: [2, 4] };
  assert.equal(factsAbout(row("x", { field: wide }))[2], "sees 7 × 9 px, stride 2 × 4");
  const vector = { size: [224, 224], stride: [0, 0] };
  assert.equal(factsAbout(row("x", { field: vector }))[2], "sees 224 × 224 px");
  assert.deepEqual(factsAbout(row("x")).slice(1), ["no parameters"]);
});

test("facts about a group are about all of its layers, and what it hands on", () => {
  const { root } = buildTree([
    row("conv3_block1_1_conv", { parameters: 30 }),
    row("conv3_block1_out", { parameters: 4, shape: [28, 28, 64] }),
  ]);
  assert.deepEqual(factsOf(root.children[0]), ["2 layers · 28 × 28 × 64", "34 parameters"]);
});

test("every kind of Keras layer has a short word and its family", () => {
  const words = (kind, detail = "") => Object.values(wordsOf({ kind, detail })).join(": ");
  assert.equal(words("Conv2D", "3×3/2"), "conv 3×3/2: conv");
  assert.equal(words("Conv2D", "3×3 relu"), "conv 3×3: conv");
  assert.equal(words("Conv2D"), "conv: conv");
  assert.equal(words("DepthwiseConv2D", "3×3"), "depthwise 3×3: conv");
  assert.equal(words("BatchNormalization"), "BN: norm");
  assert.equal(words("Activation", "relu"), "ReLU: act");
  assert.equal(words("Activation", "softmax"), "softmax: act");
  assert.equal(words("Activation"), "Activation: act");
  assert.equal(words("ReLU"), "ReLU: act");
  assert.equal(words("Relu"), "ReLU: act");
  assert.equal(words("LeakyReLU"), "LeakyReLU: act");
  assert.equal(words("Add"), "add: merge");
  assert.equal(words("Maximum"), "Maximum: merge");
  assert.equal(words("MaxPooling2D", "3×3/2"), "max 3×3/2: pool");
  assert.equal(words("GlobalAveragePooling2D"), "global mean: pool");
  assert.equal(words("ZeroPadding2D"), "pad: pad");
  assert.equal(words("Dense", "softmax"), "dense: dense");
  for (const kind of ["Flatten", "Rescaling", "AddedByMe", "<img>"]) {
    assert.equal(words(kind), `${kind}: other`);
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
  const lines = linesOf(TREE.root, open, shown);
  const names = lines.map(({ nodes }) => nodes.map((node) => node.name).join());
  assert.ok(lines.every((line) => line.rail === null));
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
  const visible = (root, open) => linesOf(root, open).flatMap((line) => line.nodes);
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
