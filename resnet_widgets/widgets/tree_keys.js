// What the keys do on a row of the tree of layers, as in the ARIA pattern for trees.

import { typeAhead } from "./layers.js";

/** @typedef {import("./layers.js").TreeNode} TreeNode */

/** Milliseconds after which a typed letter starts a new word. */
const TYPING = 700;

/**
 * @param {object} tree
 * @param {() => { places: Map<TreeNode, number>, lines: import("./layers.js").Line[],
 *   open: Set<TreeNode>, found: { shown: Set<TreeNode> } | null, root: TreeNode }} tree.now what can
 *   be walked to, each with its line; what is open; what was searched for
 * @param {() => number} tree.page lines that can be seen
 * @param {(node?: TreeNode) => void} tree.goTo
 * @param {(node: TreeNode) => void} tree.toggle
 * @param {(node: TreeNode) => void} tree.press
 * @param {() => void} tree.rearrange after others were opened
 * @param {() => void} tree.clear ends the search
 * @returns {(key: string, node: TreeNode) => boolean} whether the key meant something
 */
export function treeKeys({ now, page, goTo, toggle, press, rearrange, clear }) {
  let typed = "";
  let typedAt = 0;

  return (key, node) => {
    const { places, lines, open, found, root } = now();
    const there = [...places.keys()];
    const index = there.indexOf(node);
    const isTyping = performance.now() - typedAt < TYPING && typed !== "";
    const [place, beside] = [places.get(node), (/** @type {number} */ step) => there[index + step]];
    const isBeside = (/** @type {TreeNode | undefined} */ other) =>
      other && places.get(other) === place ? other : undefined;
    if (key === "ArrowDown") goTo(beside(1));
    else if (key === "ArrowUp") goTo(beside(-1));
    else if (key === "PageDown" || key === "PageUp") {
      const step = (key === "PageDown" ? 1 : -1) * Math.max(1, page() - 1);
      const line = lines[Math.max(0, Math.min(lines.length - 1, (place ?? 0) + step))];
      goTo(line?.nodes[0]);
    } else if (key === "Home") goTo(there[0]);
    else if (key === "End") goTo(there[there.length - 1]);
    else if (key === "ArrowRight") {
      if (open.has(node)) goTo(beside(1));
      else if (node.row) goTo(isBeside(beside(1)));
      else toggle(node);
    } else if (key === "ArrowLeft") {
      const before = node.row ? isBeside(beside(-1)) : undefined;
      if (open.has(node)) toggle(node);
      else if (before) goTo(before);
      else if (node.parent !== root) goTo(node.parent ?? undefined);
    } else if (key === "Enter" || (key === " " && !isTyping)) {
      if (node.row) goTo(node);
      else press(node);
    } else if (key === "*") {
      for (const sibling of node.parent?.children ?? []) {
        if (!sibling.row && (!found || found.shown.has(sibling))) open.add(sibling);
      }
      rearrange();
    } else if (key === "Escape" && found) clear();
    else if (key.length === 1 && key !== "/") {
      const word = isTyping ? typed + key : key;
      const next = typeAhead(there, index, word);
      if (next < 0 && !isTyping) return false;
      typed = word;
      typedAt = performance.now();
      goTo(there[next]);
    } else return false;
    return true;
  };
}
