// The layers of a model as rows of a tree, without a page: grouping, names, figures, search.

import { formatShape } from "./shared.js";

/**
 * One layer, as `LayerInfo.to_row()` describes it.
 * @typedef {object} Row
 * @property {string} path
 * @property {string} kind  Keras class, such as `Conv2D`
 * @property {string} stage
 * @property {string} block  empty outside of any block
 * @property {number[]} shape  without the batch; -1 where unknown
 * @property {string} dtype
 * @property {number} parameters
 * @property {{ size: number[], stride: number[] } | null} field  receptive field in pixels
 * @property {string[]} inputs  paths
 */

/**
 * A row of the tree: a stage, a block or a layer.
 * @typedef {object} TreeNode
 * @property {string} name  full name: of the stage or block, or the path of the layer
 * @property {string} label  what is shown: the name without what the parents say already
 * @property {TreeNode | null} parent
 * @property {TreeNode[]} children  empty for a layer
 * @property {Row | null} row  null for a stage or block
 * @property {boolean} isShortcut  a layer on the shortcut of a residual block
 */

// Letter, CSS class, and the kinds they stand for; the first that fits is taken.
/** @type {[string, string, RegExp][]} */
const BADGES = [
  ["C", "conv", /Conv/],
  ["B", "norm", /BatchNorm/],
  ["+", "merge", /^(Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|Dot)$/],
  ["P", "pool", /Pool|Padding/],
  ["R", "relu", /^Activation$|Relu|ReLU|^P?ELU|Softmax/i],
  ["D", "dense", /^Dense$/],
  ["I", "input", /^InputLayer$/],
];

/**
 * Letter and CSS class of the badge of a kind of layer.
 * @param {string} kind
 */
export function badgeOf(kind) {
  const [letter, name] = BADGES.find(([, , kinds]) => kinds.test(kind)) ?? ["·", "other"];
  return { letter, name };
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
 * The layers of one block with those of its shortcut just before the addition that they lead to.
 *
 * Of the two ways into an addition, the shorter one is the shortcut; layers on both are on neither.
 * Keras lists the layers of the two ways mixed, by depth.
 * @param {Row[]} rows  of one block, in model order
 * @returns {{ row: Row, isShortcut: boolean }[]}
 */
export function arrangeBlock(rows) {
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
  let order = rows.map((row) => ({ row, isShortcut: false }));
  for (const merge of rows) {
    if (merge.kind !== "Add" || merge.inputs.length !== 2) continue;
    const [a, b] = merge.inputs.map(wayTo);
    const onlyA = new Set([...a].filter((row) => !b.has(row)));
    const onlyB = new Set([...b].filter((row) => !a.has(row)));
    if (onlyA.size === onlyB.size) continue;
    const shortcut = onlyA.size < onlyB.size ? onlyA : onlyB;
    const placed = rows
      .filter((row) => shortcut.has(row))
      .map((row) => ({ row, isShortcut: true }));
    order = order.filter(({ row }) => !shortcut.has(row));
    const place = order.findIndex(({ row }) => row === merge);
    order.splice(place, 0, ...placed);
  }
  return order;
}

/**
 * Groups layers by stage and block, both in order of first appearance.
 * @param {Row[]} rows
 * @returns {{ root: TreeNode, layers: Map<string, TreeNode> }}  `root` is not shown
 */
export function buildTree(rows) {
  /** @type {(name: string, label: string, parent: TreeNode | null) => TreeNode} */
  const group = (name, label, parent) => {
    const node = { name, label, parent, children: [], row: null, isShortcut: false };
    parent?.children.push(node);
    return node;
  };
  const root = group("", "", null);
  /** @type {Map<string, TreeNode>} */
  const stages = new Map();
  /** @type {Map<string, TreeNode>} */
  const blocks = new Map();
  /** @type {Map<TreeNode, Row[]>} */
  const members = new Map();
  /** @type {Map<string, TreeNode>} */
  const layers = new Map();
  /** @type {(row: Row, parent: TreeNode, isShortcut: boolean) => void} */
  const addLayer = (row, parent, isShortcut) => {
    const leaf = row.path.slice(row.path.lastIndexOf("/") + 1);
    const label = shortName(leaf, row.block);
    const node = { name: row.path, label, parent, children: [], row, isShortcut };
    parent.children.push(node);
    layers.set(row.path, node);
  };
  for (const row of rows) {
    let parent = root;
    if (row.stage) {
      parent = stages.get(row.stage) ?? group(row.stage, row.stage, root);
      stages.set(row.stage, parent);
    }
    if (!row.block) {
      addLayer(row, parent, false);
      continue;
    }
    const key = JSON.stringify([row.stage, row.block]);
    const block = blocks.get(key) ?? group(row.block, shortName(row.block, row.stage), parent);
    blocks.set(key, block);
    members.set(block, [...(members.get(block) ?? []), row]);
  }
  for (const [block, own] of members) {
    for (const { row, isShortcut } of arrangeBlock(own)) addLayer(row, block, isShortcut);
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

/**
 * All facts about a layer, one string a line.
 * @param {Row} row
 */
export function factsOf({ kind, shape, dtype, parameters, field }) {
  const unusual = dtype === "float32" ? "" : dtype;
  const facts = [[kind, formatShape(shape), unusual].filter(Boolean).join(" · ")];
  if (parameters === 0) facts.push("no parameters");
  else if (parameters === 1) facts.push("1 parameter");
  else facts.push(`${parameters.toLocaleString("en")} parameters`);
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
 * The nodes that can be seen, from top to bottom.
 * @param {TreeNode} root
 * @param {Set<TreeNode>} open
 * @param {Set<TreeNode>} [shown]  all, if left out
 * @returns {TreeNode[]}
 */
export function visible(root, open, shown) {
  return root.children
    .filter((node) => !shown || shown.has(node))
    .flatMap((node) => (open.has(node) ? [node, ...visible(node, open, shown)] : [node]));
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
