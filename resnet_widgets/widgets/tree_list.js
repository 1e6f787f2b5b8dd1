// The list of the tree of layers. It is as high as all lines; only those that can be seen are in it.

import { element } from "./shared.js";
import { ROW_HEIGHT, treeRow } from "./tree_rows.js";

/** @typedef {import("./layers.js").TreeNode} TreeNode */
/** @typedef {import("./layers.js").Line} Line */

/** Lines that are drawn above and below what can be seen. */
const SPARE = 8;

/**
 * @param {HTMLElement} list what is scrolled
 * @param {AbortSignal} signal
 * @param {object} tree
 * @param {() => TreeNode | undefined} tree.current the row that Tab leads to: it is always there
 * @param {() => TreeNode | undefined} tree.selected kept in view when the list shrinks
 * @param {() => Set<TreeNode> | undefined} tree.shown what a search has left, if there is one
 * @param {() => void} tree.onDraw
 */
export function treeList(list, signal, { current, selected, shown, onDraw }) {
  const space = element("div", { class: "rw-tree-space", role: "none" });
  list.append(space);
  /** All lines there are now. @type {Line[]} */
  let lines = [];
  /** The nodes of these lines, and the line of each. @type {Map<TreeNode, number>} */
  let places = new Map();
  // How far the list is scrolled, and how high it is: to ask it would lay out the page.
  let [top, height] = [0, 0];
  /** What is drawn, by the first node of a line. @type {Map<TreeNode, HTMLElement>} */
  const drawn = new Map();
  /** @type {Map<TreeNode, HTMLElement>} */
  const items = new Map();
  /** @type {WeakMap<Element, TreeNode>} */
  const nodes = new WeakMap();

  /** Draws the lines that can be seen and the one Tab leads to; what is there already stays. */
  function draw() {
    const first = Math.floor(top / ROW_HEIGHT) - SPARE;
    const last = Math.ceil((top + (height || 20 * ROW_HEIGHT)) / ROW_HEIGHT) + SPARE;
    const node = current();
    const kept = node && places.get(node);
    const wanted = new Map();
    lines.forEach((line, index) => {
      if ((index >= first && index <= last) || index === kept) wanted.set(line.nodes[0], index);
    });
    for (const [start, row] of drawn) {
      if (wanted.has(start)) continue;
      row.remove();
      drawn.delete(start);
      for (const [other, item] of items) if (row.contains(item)) items.delete(other);
    }
    /** @type {Element | null} */
    let next = space.firstElementChild;
    for (const [start, index] of wanted) {
      let row = drawn.get(start);
      if (row) next = row.nextElementSibling;
      else {
        row = drawLine(lines[index]);
        drawn.set(start, row);
        space.insertBefore(row, next);
      }
      row.style.top = `${index * ROW_HEIGHT}px`;
    }
    onDraw();
  }

  function drawLine(/** @type {Line} */ line) {
    const made = treeRow(line, shown());
    for (const [i, item] of made.items.entries()) {
      const node = line.nodes[i];
      if (node === current()) item.setAttribute("tabindex", "0");
      items.set(node, item);
      nodes.set(item, node);
    }
    return made.row;
  }

  /** Draws what can be seen where the list is scrolled to. */
  function follow() {
    top = list.scrollTop;
    draw();
  }

  /** Scrolls the list, and nothing else, until the row can be seen. @param {TreeNode} node */
  function scrollTo(node) {
    const start = ROW_HEIGHT * (places.get(node) ?? NaN);
    if (height && start < top) list.scrollTop = start;
    else if (height && start + ROW_HEIGHT > top + height) {
      list.scrollTop = start + ROW_HEIGHT - height;
    } else return;
    follow();
  }

  // Only a list that has its place on the page can be scrolled; one that shrinks may hide the row.
  const observer = new ResizeObserver(() => {
    const node = selected();
    const before = height;
    height = list.clientHeight;
    if (node && (before === 0 || height < before)) scrollTo(node);
    follow();
  });
  observer.observe(list);
  signal.addEventListener("abort", () => observer.disconnect());
  list.addEventListener("scroll", follow, { signal });

  return {
    /** What is drawn. */
    items,
    lines: () => lines,
    places: () => places,
    /** Whole lines that can be seen at once. */
    page: () => Math.floor(height / ROW_HEIGHT),
    nodeOf: (/** @type {Element} */ item) => nodes.get(item),
    scrollTo,

    /** Takes the place of the lines before. @param {Line[]} next */
    show(next) {
      lines = next;
      places = new Map(lines.flatMap((line, index) => line.nodes.map((node) => [node, index])));
      const full = lines.length * ROW_HEIGHT;
      space.style.height = `${full}px`;
      // There are too few to be scrolled that far: the browser knows how far they are.
      if (top > Math.max(0, full - height)) top = list.scrollTop;
      draw();
    },

    /** Lets all that is drawn go, to be drawn anew. */
    empty() {
      for (const row of drawn.values()) row.remove();
      drawn.clear();
      items.clear();
    },
  };
}
