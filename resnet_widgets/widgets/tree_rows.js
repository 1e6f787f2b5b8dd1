// The rows of the tree of layers: what stands in each, and what it says to whoever cannot see it.

import { factsOf, figureOf, layersOf, withParents, wordsOf } from "./layers.js";
import { railPicture } from "./rail_picture.js";
import { change, element } from "./shared.js";

/** @typedef {import("./layers.js").TreeNode} TreeNode */

/** Height of a row in pixels: no less than a finger needs. */
export const ROW_HEIGHT = 24;

/**
 * Draws a stage, a block, or the layers of one place behind the lines that lead to it.
 * @param {import("./layers.js").Line} line
 * @param {Set<TreeNode> | undefined} shown what a search has left, if there is one
 * @returns {{ row: HTMLElement, items: HTMLElement[] }} with an item for each node of the line
 */
export function treeRow({ nodes, rail }, shown) {
  const [first, last] = [nodes[0], nodes[nodes.length - 1]];
  if (!first.row) {
    const row = groupRow(first);
    return { row, items: [become(row, first, shown)] };
  }
  const items = nodes.map((node) => {
    const { words, family } = wordsOf(/** @type {import("./layers.js").Row} */ (node.row));
    const word = element("span", { class: "rw-tree-word", text: words });
    const item = element("div", { class: `rw-tree-layer rw-tree-${family}` }, word);
    return become(item, node, shown);
  });
  const row = element(
    "div",
    { class: "rw-tree-row rw-tree-site", role: "none" },
    railPicture(rail, ROW_HEIGHT),
    ...items,
    element("span", { class: "rw-tree-aside", text: last.isShortcut ? "shortcut" : "" }),
    element("span", { class: "rw-tree-figure", text: figureOf(last) }),
  );
  return { row, items };
}

/** @param {TreeNode} node */
function groupRow(node) {
  const level = withParents(node).length - 1;
  return element(
    "div",
    { class: `rw-tree-row rw-tree-group rw-tree-level${level}` },
    element("span", { class: "rw-tree-twisty" }),
    element("span", { class: "rw-tree-label", text: node.label }),
    " ",
    element("span", { class: "rw-tree-figure", text: figureOf(node) }),
    element("span", { class: "rw-tree-dot" }),
  );
}

/** @param {TreeNode} node */
function groupName(node) {
  const seen = `${node.label} ${figureOf(node)}`;
  return node.label === node.name ? seen : `${node.name}, ${seen}`;
}

/**
 * Makes a stage, a block or a layer something that can be walked to.
 * @param {HTMLElement} item
 * @param {TreeNode} node
 * @param {Set<TreeNode> | undefined} shown
 */
function become(item, node, shown) {
  const siblings = node.parent?.children.filter((child) => !shown || shown.has(child)) ?? [];
  const attributes = {
    role: "treeitem",
    "aria-level": withParents(node).length - 1,
    "aria-setsize": siblings.length,
    "aria-posinset": siblings.indexOf(node) + 1,
    // With what is seen in it, for whoever speaks to a page.
    "aria-label": node.row ? `${node.name}, ${wordsOf(node.row).words}` : groupName(node),
    "data-name": node.name,
    title: [node.name, ...factsOf(node)].join("\n"),
    tabindex: -1,
  };
  for (const [name, value] of Object.entries(attributes)) item.setAttribute(name, String(value));
  return item;
}

/**
 * Marks what can change of an item: whether its layers are there, and it is selected or open.
 * @param {HTMLElement} item
 * @param {TreeNode} node
 * @param {object} now
 * @param {Set<string>} now.cached
 * @param {string} now.where these are
 * @param {Set<TreeNode>} now.busy
 * @param {Set<TreeNode>} now.open
 * @param {TreeNode | undefined} now.chosen
 */
export function markItem(item, node, { cached, where, busy, open, chosen }) {
  const layers = layersOf(node);
  const ready = layers.filter((layer) => cached.has(layer.name)).length;
  let state = `${ready} of ${layers.length} layers ${where}`;
  if (node.row) state = ready ? where : `not ${where}`;
  if (busy.has(node)) state = "being computed";
  item.classList.toggle("rw-tree-computing", busy.has(node));
  const words = node.row ? [factsOf(node)[0], state] : [state];
  if (node.isShortcut) words.unshift("on the shortcut");
  const [is, so] = node.row ? ["selected", node === chosen] : ["expanded", open.has(node)];
  change(item, {
    "data-cached": ready === layers.length ? "all" : ready ? "some" : "none",
    "aria-description": words.join(", "),
    [`aria-${is}`]: String(so),
  });
}
