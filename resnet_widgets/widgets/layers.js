// The layers of a model as lines of a tree, without a page: grouping, names, figures, search.

import { railsOf, takersOf } from "./rails.js";
import { formatShape } from "./shared.js";

/**
 * One layer, as `LayerInfo.to_row()` describes it.
 * @typedef {object} Row
 * @property {string} path
 * @property {string} kind  Keras class, such as `Conv2D`
 * @property {string} detail  kernel and stride, or activation; empty where there is none
 * @property {string} stage
 * @property {string} block  empty outside of any block
 * @property {number[]} shape  without the batch; -1 where unknown
 * @property {string} dtype
 * @property {number} parameters
 * @property {{ size: number[], stride: number[] } | null} field  receptive field in pixels
 * @property {string[]} inputs  paths
 */

/**
 * A node of the tree: a stage, a block or a layer.
 * @typedef {object} TreeNode
 * @property {string} name  full name: of the stage or block, or the path of the layer
 * @property {string} label  the name without what the parents say already
 * @property {TreeNode | null} parent
 * @property {TreeNode[]} children  empty for a layer
 * @property {Line[]} lines  the children as they are drawn
 * @property {Row | null} row  null for a stage or block
 * @property {boolean} isShortcut  a layer on the shortcut of a residual block
 */

/**
 * What is drawn in one line: a stage, a block, or the layers of one site.
 * @typedef {{ nodes: TreeNode[], rail: import("./rails.js").Rail | null }} Line
 */

// The word for a kind, whether its detail is worth a place beside it, and its family.
/** @type {[RegExp, string, boolean, string][]} */
const WORDS = [
  [/^DepthwiseConv/, "depthwise", true, "conv"],
  [/^SeparableConv/, "separable", true, "conv"],
  [/Conv\dDTranspose/, "deconv", true, "conv"],
  [/Conv/, "conv", true, "conv"],
  [/^BatchNormalization$/, "BN", false, "norm"],
  [/^LayerNormalization$/, "LN", false, "norm"],
  [/^Add$/, "add", false, "merge"],
  [/^Concatenate$/, "concat", false, "merge"],
  [/^Multiply$/, "multiply", false, "merge"],
  [/^(Subtract|Average|Maximum|Minimum|Dot)$/, "", false, "merge"],
  [/^GlobalAveragePooling/, "global mean", false, "pool"],
  [/^GlobalMaxPooling/, "global max", false, "pool"],
  [/^MaxPooling/, "max", true, "pool"],
  [/^AveragePooling/, "mean", true, "pool"],
  [/Padding/, "pad", false, "pad"],
  [/^Re(LU|lu)$/, "ReLU", false, "act"],
  [
    /^Activation$|Relu|ReLU|^P?ELU|^(Softmax|Silu|Gelu|Sigmoid|HardSigmoid|Tanh)$/,
    "",
    false,
    "act",
  ],
  [/^(Spatial)?Dropout|^Gaussian|^Identity$|^ActivityRegularization$/, "", false, "act"],
  [/^Dense$/, "dense", false, "dense"],
  [/^InputLayer$/, "input", false, "input"],
];

/**
 * Short words for a layer, as in `conv 3×3/2`, `BN`, `ReLU`, and the family of its kind.
 * @param {Pick<Row, "kind" | "detail">} row
 */
export function wordsOf({ kind, detail = "" }) {
  const [, word, takesDetail, family] = WORDS.find(([kinds]) => kinds.test(kind)) ?? [
    null,
    "",
    false,
    "other",
  ];
  if (kind === "Activation" && detail)
    return { words: detail === "relu" ? "ReLU" : detail, family };
  const [first] = detail.split(" ");
  return { words: takesDetail && first ? `${word} ${first}` : word || kind, family };
}

/**
 * `1_conv` for `conv2_block1_1_conv` in `conv2_block1`.
 * @param {string} name
 * @param {string} prefix
 */
export function shortName(name, prefix) {
  const start = `${prefix}_`;
  return prefix && name.startsWith(start) && name.length > start.length
    ? name.slice(start.length)
    : name;
}

/**
 * The layers that are on a shortcut: of the two ways into an addition, the shorter one. Layers on
 * both are on neither.
 * @param {Row[]} rows  of one block, in model order
 * @returns {Set<Row>}
 */
export function shortcutOf(rows) {
  const inside = new Map(rows.map((row) => [row.path, row]));
  /** @param {string} path */
  const wayTo = (path) => {
    const way = new Set();
    const open = [path];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const row = inside.get(next);
      if (!row || way.has(row)) continue;
      way.add(row);
      open.push(...row.inputs);
    }
    return way;
  };
  /** @type {Set<Row>} */
  const found = new Set();
  for (const merge of rows) {
    if (merge.kind !== "Add" || merge.inputs.length !== 2) continue;
    const [a, b] = merge.inputs.map(wayTo);
    const onlyA = [...a].filter((row) => !b.has(row));
    const onlyB = [...b].filter((row) => !a.has(row));
    if (onlyA.length === onlyB.length) continue;
    for (const row of onlyA.length < onlyB.length ? onlyA : onlyB) found.add(row);
  }
  return found;
}

/**
 * Groups layers by stage and block, both in order of first appearance; layers that stand side by
 * side in a group become lines with the ways between them.
 * @param {Row[]} rows
 * @returns {{ root: TreeNode, layers: Map<string, TreeNode> }}  `root` is not shown
 */
export function buildTree(rows) {
  /** @type {(name: string, label: string, parent: TreeNode | null, row?: Row | null) => TreeNode} */
  const nodeOf = (name, label, parent, row = null) => {
    return { name, label, parent, children: [], lines: [], row, isShortcut: false };
  };
  const root = nodeOf("", "", null);
  /** @type {Map<string, TreeNode>} */
  const groups = new Map();
  /** @type {Map<TreeNode, (TreeNode | Row)[]>} */
  const members = new Map([[root, []]]);
  /** @type {(name: string, prefix: string, parent: TreeNode) => TreeNode} */
  const groupOf = (name, prefix, parent) => {
    const key = JSON.stringify([parent.name, prefix, name]);
    const group = groups.get(key) ?? nodeOf(name, shortName(name, prefix), parent);
    if (!groups.has(key)) {
      groups.set(key, group);
      members.set(group, []);
      members.get(parent)?.push(group);
    }
    return group;
  };
  for (const row of rows) {
    let parent = root;
    if (row.stage) parent = groupOf(row.stage, "", parent);
    if (row.block) parent = groupOf(row.block, row.stage, parent);
    members.get(parent)?.push(row);
  }
  const takers = takersOf(rows);
  /** @type {Map<string, TreeNode>} */
  const layers = new Map();
  for (const [group, own] of members) {
    /** @type {Row[]} */
    let run = [];
    const endRun = () => {
      const shortcut = shortcutOf(run);
      for (const { rows: site, rail } of railsOf(run, takers)) {
        const nodes = site.map((row) => {
          const leaf = row.path.slice(row.path.lastIndexOf("/") + 1);
          const node = nodeOf(row.path, shortName(leaf, row.block), group, row);
          node.isShortcut = shortcut.has(row);
          layers.set(row.path, node);
          return node;
        });
        group.lines.push({ nodes, rail });
      }
      run = [];
    };
    for (const member of own) {
      if ("path" in member) run.push(member);
      else {
        endRun();
        group.lines.push({ nodes: [member], rail: null });
      }
    }
    endRun();
    group.children = group.lines.flatMap((line) => line.nodes);
  }
  return { root, layers };
}

/**
 * All layers at or below a node, in the order of the tree.
 * @param {TreeNode} node
 * @returns {TreeNode[]}
 */
export function layersOf(node) {
  return node.row ? [node] : node.children.flatMap(layersOf);
}

/**
 * `28²`, or `28 × 30` where the sides differ.
 * @param {number[]} shape
 */
function area([height, width]) {
  if (height !== width) return formatShape([height, width]);
  return height < 0 ? "?²" : `${height}²`;
}

/**
 * What a closed row tells: `28² · 4 blocks`, `28² × 512`, `1000 units`, or a layer's channels.
 * @param {TreeNode} node
 */
export function figureOf(node) {
  if (node.row) return formatShape(node.row.shape.slice(-1));
  const rows = layersOf(node).flatMap(({ row }) => row ?? []);
  const last = rows[rows.length - 1].shape;
  if (last.length < 3) return last.length === 1 ? `${formatShape(last)} units` : formatShape(last);
  if (node.parent?.parent) return `${area(last)} × ${formatShape(last.slice(2))}`;
  // A stage is known by the size most of its layers work at, not by what is done at its border.
  /** @type {Map<string, number>} */
  const sizes = new Map();
  for (const { kind, shape } of rows) {
    if (shape.length < 3 || /Padding|InputLayer/.test(kind)) continue;
    sizes.set(area(shape), (sizes.get(area(shape)) ?? 0) + 1);
  }
  const start = /** @type {[string, number]} */ ([area(last), 0]);
  const [size] = [...sizes].reduce((best, next) => (next[1] > best[1] ? next : best), start);
  const blocks = node.children.filter((child) => !child.row).length;
  return blocks ? `${size} · ${blocks} ${blocks === 1 ? "block" : "blocks"}` : size;
}

/** @param {number} count */
function parametersOf(count) {
  if (count === 0) return "no parameters";
  return count === 1 ? "1 parameter" : `${count.toLocaleString("en")} parameters`;
}

/**
 * All facts about a node, one string a line; a stage or block sees what its last layer sees.
 * @param {TreeNode} node
 */
export function factsOf(node) {
  const rows = layersOf(node).flatMap(({ row }) => row ?? []);
  const { kind, detail, shape, dtype, field } = rows[rows.length - 1];
  const unusual = dtype === "float32" ? "" : dtype;
  const what = node.row ? [kind, detail].filter(Boolean).join(" ") : `${rows.length} layers`;
  const facts = [[what, formatShape(shape), unusual].filter(Boolean).join(" · ")];
  facts.push(parametersOf(rows.reduce((sum, { parameters }) => sum + parameters, 0)));
  if (field) {
    const [row, column] = field.stride;
    // A vector sees from one place only, so it has no stride.
    const stride = row && `, stride ${row === column ? row : formatShape(field.stride)}`;
    facts.push(`sees ${formatShape(field.size)} px${stride || ""}`);
  }
  return facts;
}

/**
 * The layers whose path, kind or group hold every word of `text`, and all nodes on the way to them.
 * @param {TreeNode} root
 * @param {string} text
 * @returns {{ hits: TreeNode[], shown: Set<TreeNode> } | null}  null when there is nothing to find
 */
export function search(root, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return null;
  const hits = layersOf(root).filter(({ row, isShortcut }) => {
    const hay = `${row?.path} ${row?.kind} ${row?.stage} ${row?.block}`.toLowerCase();
    return words.every((word) => hay.includes(word) || (isShortcut && "shortcut".includes(word)));
  });
  /** @type {Set<TreeNode>} */
  const shown = new Set();
  for (const hit of hits) for (const node of withParents(hit)) shown.add(node);
  return { hits, shown };
}

/**
 * A node and its parents up to the root, from the inside out.
 * @param {TreeNode} node
 */
export function withParents(node) {
  const path = [node];
  for (let next = node.parent; next; next = next.parent) path.push(next);
  return path;
}

/**
 * The lines that can be seen, from top to bottom. Of what a search has found the ways between the
 * layers are left out: not all of them are there.
 * @param {TreeNode} root
 * @param {Set<TreeNode>} open
 * @param {Set<TreeNode>} [shown]  all, if left out
 * @returns {Line[]}
 */
export function linesOf(root, open, shown) {
  return root.lines.flatMap((line) => {
    const nodes = shown ? line.nodes.filter((node) => shown.has(node)) : line.nodes;
    if (nodes.length === 0) return [];
    const own = shown ? { nodes, rail: null } : line;
    const [first] = nodes;
    return open.has(first) ? [own, ...linesOf(first, open, shown)] : [own];
  });
}

/**
 * Where typing leads: the next node that starts with `typed`, by its label or its full name. One
 * letter, also if it is repeated, moves on; a longer word stays where it fits.
 * @param {TreeNode[]} nodes  visible ones
 * @param {number} from  index of the present one
 * @param {string} typed
 * @returns {number}  index, or -1
 */
export function typeAhead(nodes, from, typed) {
  const letters = new Set(typed.toLowerCase());
  const word = letters.size === 1 ? [...letters][0] : typed.toLowerCase();
  const first = letters.size === 1 ? from + 1 : from;
  for (let step = 0; step < nodes.length; step += 1) {
    const index = (first + step) % nodes.length;
    const { label, name } = nodes[index];
    const leaf = name.slice(name.lastIndexOf("/") + 1);
    if ([label, leaf].some((text) => text.toLowerCase().startsWith(word))) return index;
  }
  return -1;
}
