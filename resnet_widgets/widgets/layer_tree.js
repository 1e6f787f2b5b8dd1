import {
  buildTree,
  factsOf,
  figureOf,
  layersOf,
  linesOf,
  search,
  withParents,
  wordsOf,
} from "./layers.js";
import { railPicture } from "./rail_picture.js";
import { becomeRoot, change, element, errorLine, onChange, setTrait, throttle } from "./shared.js";
import { treeKeys } from "./tree_keys.js";

/** @typedef {import("./layers.js").TreeNode} TreeNode */
/** @typedef {import("./layers.js").Line} Line */

/** As in `layer_tree.py`. */
const LONGEST_SEARCH = 200;
/** Height of a line in pixels: no less than a finger needs. */
const LINE = 24;
/** Lines that are drawn above and below what can be seen. */
const SPARE = 8;

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host?: any }} context */
function render({ model, el, signal, host }) {
  becomeRoot(el, signal);
  el.classList.add("rw-tree");
  const field = element("input", {
    type: "search",
    class: "rw-tree-search",
    placeholder: "Find a layer  /",
    "aria-label": "Find a layer",
    autocomplete: "off",
    maxlength: LONGEST_SEARCH,
    spellcheck: "false",
  });
  const status = element("div", { class: "rw-tree-status", role: "status" });
  const list = element("div", { class: "rw-tree-list", role: "tree", "aria-label": "Layers" });
  // As high as all lines; only those that can be seen are in it.
  const space = element("div", { class: "rw-tree-space", role: "none" });
  const facts = element("div", { class: "rw-tree-facts" });
  list.append(space);
  el.append(field, status, list, facts, errorLine(model, signal));

  let tree = buildTree([]);
  /** @type {Set<TreeNode>} */
  let open = new Set();
  /** What was open before the search. @type {Set<TreeNode>} */
  let openBefore = new Set();
  /** @type {ReturnType<typeof search>} */
  let found = null;
  /** All lines there are now. @type {Line[]} */
  let lines = [];
  /** The nodes of these lines, and the line of each. @type {Map<TreeNode, number>} */
  let places = new Map();
  /** The row that Tab leads to. @type {TreeNode | undefined} */
  let current;
  // How far the list is scrolled, and how high it is: to ask it would lay out the page.
  let [top, height] = [0, 0];
  /** What is drawn, by the first node of a line. @type {Map<TreeNode, HTMLElement>} */
  const drawn = new Map();
  /** @type {Map<TreeNode, HTMLElement>} */
  const items = new Map();
  /** @type {WeakMap<Element, TreeNode>} */
  const nodes = new WeakMap();
  // Where the marks say that a layer is: a page without a kernel has some and no others.
  const where = host?.saved ? "in this page" : "in the cache";

  /** @param {Set<TreeNode>} shown */
  const groupsOf = (shown) => new Set([...shown].filter((node) => !node.row));
  const selected = () => tree.layers.get(model.get("selected"));
  const seen = () => [...places.keys()];

  /** The stages and blocks of these names. */
  function groupsNamed(/** @type {string[]} */ names) {
    const wanted = new Set(names);
    /** @type {(node: TreeNode) => TreeNode[]} */
    const inside = (node) => node.children.flatMap((child) => [child, ...inside(child)]);
    return new Set(inside(tree.root).filter((node) => !node.row && wanted.has(node.name)));
  }

  /** The stages and blocks that lead to a node. */
  const wayTo = (/** @type {TreeNode} */ node) => withParents(node).slice(1, -1);
  /** The names of stages and blocks; several may have the same. */
  const namesOf = (/** @type {Set<TreeNode>} */ groups) =>
    [...new Set([...groups].map((node) => node.name))].sort();

  /** Keeps what a hand has opened, for when this is drawn again; what a search opens is its own. */
  function keepOpen() {
    if (!found) setTrait(model, "open_groups", namesOf(open));
  }

  /** Opens what was opened elsewhere; what is open by these names already stays as it is. */
  function followOpen() {
    const now = groupsNamed(model.get("open_groups"));
    if (namesOf(now).join("\n") === namesOf(found ? openBefore : open).join("\n")) return;
    if (found) openBefore = now;
    else {
      open = now;
      redraw();
      reveal();
    }
  }

  /** One stage, block or layer, as it can be walked to. @param {TreeNode} node @param {HTMLElement} item */
  function become(item, node) {
    const siblings =
      node.parent?.children.filter((child) => !found || found.shown.has(child)) ?? [];
    const attributes = {
      role: "treeitem",
      "aria-level": withParents(node).length - 1,
      "aria-setsize": siblings.length,
      "aria-posinset": siblings.indexOf(node) + 1,
      // With what is seen in it, for whoever speaks to a page.
      "aria-label": node.row ? `${node.name}, ${wordsOf(node.row).words}` : groupName(node),
      "data-name": node.name,
      title: [node.name, ...factsOf(node)].join("\n"),
      tabindex: node === current ? 0 : -1,
    };
    for (const [name, value] of Object.entries(attributes)) item.setAttribute(name, String(value));
    items.set(node, item);
    nodes.set(item, node);
    return item;
  }

  /** @param {TreeNode} node */
  function groupName(node) {
    const seenText = `${node.label} ${figureOf(node)}`;
    return node.label === node.name ? seenText : `${node.name}, ${seenText}`;
  }

  /** @param {TreeNode} node */
  function drawGroup(node) {
    const level = withParents(node).length - 1;
    const line = element(
      "div",
      { class: `rw-tree-row rw-tree-group rw-tree-level${level}` },
      element("span", { class: "rw-tree-twisty" }),
      element("span", { class: "rw-tree-label", text: node.label }),
      " ",
      element("span", { class: "rw-tree-figure", text: figureOf(node) }),
      element("span", { class: "rw-tree-dot" }),
    );
    return become(line, node);
  }

  /** The layers of one place, behind the lines that lead to it. @param {Line} line */
  function drawSite({ nodes: layers, rail }) {
    const last = layers[layers.length - 1];
    return element(
      "div",
      { class: "rw-tree-row rw-tree-site", role: "none" },
      railPicture(rail, LINE),
      ...layers.map((node) => {
        const { words, family } = wordsOf(/** @type {import("./layers.js").Row} */ (node.row));
        const word = element("span", { class: "rw-tree-word", text: words });
        return become(element("div", { class: `rw-tree-layer rw-tree-${family}` }, word), node);
      }),
      element("span", { class: "rw-tree-aside", text: last.isShortcut ? "shortcut" : "" }),
      element("span", { class: "rw-tree-figure", text: figureOf(last) }),
    );
  }

  /** Draws the lines that can be seen and the one Tab leads to; what is there already stays. */
  function draw() {
    const first = Math.floor(top / LINE) - SPARE;
    const last = Math.ceil((top + (height || 20 * LINE)) / LINE) + SPARE;
    const kept = current && places.get(current);
    const wanted = new Map();
    lines.forEach((line, index) => {
      if ((index >= first && index <= last) || index === kept) wanted.set(line.nodes[0], index);
    });
    for (const [node, row] of drawn) {
      if (wanted.has(node)) continue;
      row.remove();
      drawn.delete(node);
      for (const [other, item] of items) if (row.contains(item)) items.delete(other);
    }
    /** @type {Element | null} */
    let next = space.firstElementChild;
    for (const [node, index] of wanted) {
      let row = drawn.get(node);
      if (row) next = row.nextElementSibling;
      else {
        row = node.row ? drawSite(lines[index]) : drawGroup(node);
        drawn.set(node, row);
        space.insertBefore(row, next);
      }
      row.style.top = `${index * LINE}px`;
    }
    mark();
  }

  /** The lines are others now: after opening, closing, a search. */
  function rearrange() {
    lines = linesOf(tree.root, open, found?.shown);
    places = new Map(lines.flatMap((line, index) => line.nodes.map((node) => [node, index])));
    const full = lines.length * LINE;
    space.style.height = `${full}px`;
    // There are too few to be scrolled that far: the browser knows how far they are.
    if (top > Math.max(0, full - height)) top = list.scrollTop;
    draw();
  }

  /** @param {TreeNode} node */
  function toggle(node) {
    if (open.has(node)) {
      open.delete(node);
      if (current && withParents(current).includes(node)) walkTo(node);
    } else open.add(node);
    rearrange();
    keepOpen();
  }

  /**
   * Opens a stage or a block, and selects what it hands on; closes the one that is looked at.
   * @param {TreeNode} node
   * @param {boolean} [shows] whether it selects anything
   */
  function press(node, shows = true) {
    const layers = layersOf(node);
    const chosen = selected();
    const looksAway = shows && !found && !(chosen && layers.includes(chosen));
    if (!open.has(node) || !looksAway) toggle(node);
    const output = layers.at(-1);
    if (shows && open.has(node) && !found && output) setTrait(model, "selected", output.name);
  }

  /** Draws everything anew. */
  function redraw() {
    const hadFocus = list.matches(":focus-within");
    for (const row of drawn.values()) row.remove();
    drawn.clear();
    items.clear();
    lines = linesOf(tree.root, open, found?.shown);
    const there = lines.flatMap((line) => line.nodes);
    current = there.find((node) => node === (current ?? selected())) ?? there[0];
    const total = tree.layers.size;
    if (total === 0) status.textContent = "No model yet";
    else if (found?.hits.length === 0) status.textContent = `No layer matches “${field.value}”`;
    else status.textContent = found ? `${found.hits.length} of ${total} layers` : "";
    list.hidden = lines.length === 0;
    status.classList.toggle("rw-empty", list.hidden);
    field.disabled = total === 0;
    rearrange();
    if (hadFocus && current) items.get(current)?.focus({ preventScroll: true });
  }

  /** Brings selection, cache marks and what is open up to date in all that is drawn. */
  function mark() {
    const cached = new Set(model.get("cached"));
    const computing = tree.layers.get(model.get("computing"));
    const busy = new Set(computing ? withParents(computing) : []);
    const chosen = selected();
    for (const [node, item] of items) {
      const layers = layersOf(node);
      const ready = layers.filter((layer) => cached.has(layer.name)).length;
      const isBusy = busy.has(node);
      let state = `${ready} of ${layers.length} layers ${where}`;
      if (node.row) state = ready ? where : `not ${where}`;
      if (isBusy) state = "being computed";
      item.classList.toggle("rw-tree-computing", isBusy);
      const words = node.row ? [factsOf(node)[0], state] : [state];
      if (node.isShortcut) words.unshift("on the shortcut");
      const [is, so] = node.row ? ["selected", node === chosen] : ["expanded", open.has(node)];
      change(item, {
        "data-cached": ready === layers.length ? "all" : ready ? "some" : "none",
        "aria-description": words.join(", "),
        [`aria-${is}`]: String(so),
      });
    }
    const about = current && !current.row && list.matches(":focus-within") ? current : chosen;
    const texts = about ? [about.name, ...factsOf(about)] : [];
    if (about?.row && host?.saved && !cached.has(about.name)) texts.push(`not ${where}`);
    while (facts.childElementCount > texts.length) facts.lastElementChild?.remove();
    for (const [i, text] of texts.entries()) {
      change(facts.children[i] ?? facts.appendChild(element("div")), { text, title: text });
    }
    change(facts, { hidden: texts.length === 0 });
  }

  /** Makes `node` the one that Tab leads to. @param {TreeNode | undefined} node */
  function walkTo(node) {
    if (node === current) return;
    if (current) items.get(current)?.setAttribute("tabindex", "-1");
    current = node;
    if (node) items.get(node)?.setAttribute("tabindex", "0");
  }

  /** Draws what can be seen where the list is scrolled to. */
  function follow() {
    top = list.scrollTop;
    draw();
  }

  /** Scrolls the list, and nothing else, until the row can be seen. @param {TreeNode} node */
  function scrollTo(node) {
    const start = LINE * (places.get(node) ?? NaN);
    if (height && start < top) list.scrollTop = start;
    else if (height && start + LINE > top + height) list.scrollTop = start + LINE - height;
    else return;
    follow();
  }

  /** Focus follows, and the selection too where the row is a layer. @param {TreeNode} [node] */
  function goTo(node) {
    if (!node) return;
    scrollTo(node);
    // Before anything is changed: a page is laid out to give the focus away.
    items.get(node)?.focus({ preventScroll: true });
    walkTo(node);
    if (node.row && node !== selected()) setTrait(model, "selected", node.name);
    else mark();
  }

  /** Opens the way to the selected layer. */
  function reveal() {
    const node = selected();
    if (!node || (found && !found.shown.has(node))) {
      mark();
      return;
    }
    for (const parent of wayTo(node)) open.add(parent);
    if (!list.matches(":focus-within")) walkTo(node);
    rearrange();
    // Last, because the facts about it take room from the list.
    scrollTo(node);
  }

  function find() {
    // The longest text allowed may end within a letter.
    setTrait(model, "search", field.value.toWellFormed());
    const before = found;
    found = search(tree.root, field.value);
    if (found) {
      if (!before) openBefore = open;
      open = groupsOf(found.shown);
    } else if (before) {
      // Whoever has walked to something found stays there.
      open = new Set([...openBefore, ...(current ? wayTo(current) : [])]);
    }
    redraw();
    if (!found) reveal();
  }

  function clear() {
    field.value = "";
    find();
  }

  /** Searches for what was typed elsewhere. */
  function followSearch() {
    if (field.value === model.get("search")) return;
    field.value = model.get("search");
    find();
  }

  function load() {
    tree = buildTree(model.get("layers"));
    open = groupsNamed(model.get("open_groups"));
    openBefore = open;
    field.value = model.get("search");
    current = undefined;
    found = search(tree.root, field.value);
    if (found) open = groupsOf(found.shown);
    redraw();
    reveal();
  }

  field.addEventListener("input", find, { signal });
  field.addEventListener(
    "keydown",
    (event) => {
      // What is typed here is a shortcut nowhere else.
      event.stopPropagation();
      if (event.isComposing) return;
      const first = found ? found.hits[0] : seen()[0];
      if (event.key === "Escape" && field.value) clear();
      else if (event.key === "Enter" && found && first) setTrait(model, "selected", first.name);
      else if (event.key === "ArrowDown" && first) goTo(first);
      else return;
      event.preventDefault();
    },
    { signal },
  );

  el.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      field.focus({ preventScroll: true });
      field.select();
    },
    { signal },
  );

  list.addEventListener(
    "click",
    (event) => {
      const item = /** @type {Element} */ (event.target).closest("[role=treeitem]");
      const node = item && nodes.get(item);
      if (!node) return;
      goTo(node);
      const onTwisty = Boolean(/** @type {Element} */ (event.target).closest(".rw-tree-twisty"));
      if (!node.row) press(node, !onTwisty);
    },
    { signal },
  );

  const act = treeKeys({
    now: () => ({ places, lines, open, found, root: tree.root }),
    page: () => Math.floor(height / LINE),
    goTo,
    toggle,
    press,
    rearrange() {
      rearrange();
      keepOpen();
    },
    clear,
  });
  list.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !current) return;
      if (!act(event.key, current)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );

  onChange(model, ["layers"], load, signal);
  onChange(model, ["open_groups"], followOpen, signal);
  onChange(model, ["search"], followSearch, signal);
  // A kernel may say more than a page can draw: each of these lays the page out anew.
  onChange(model, ["selected"], throttle(reveal, signal), signal);
  onChange(model, ["cached", "computing"], throttle(mark, signal), signal);
  load();
  // Only a list that has its place on the page can be scrolled; one that shrinks may hide the row.
  const observer = new ResizeObserver(() => {
    const node = selected();
    const before = height;
    height = list.clientHeight;
    if (node && (before === 0 || height < before)) scrollTo(node);
    follow();
  });
  observer.observe(list);
  list.addEventListener("scroll", follow, { signal });
  const left = (/** @type {FocusEvent} */ { relatedTarget: to }) =>
    !(to instanceof Node && list.contains(to));
  list.addEventListener("focusout", (event) => left(event) && mark(), { signal });
  signal.addEventListener("abort", () => observer.disconnect());
}

export default { render };
