import { buildTree, factsOf, layersOf, linesOf, search, withParents } from "./layers.js";
import { becomeRoot, change, element, errorLine, onChange, setTrait, throttle } from "./shared.js";
import { treeKeys } from "./tree_keys.js";
import { treeList } from "./tree_list.js";
import { markItem } from "./tree_rows.js";

/** @typedef {import("./layers.js").TreeNode} TreeNode */

/** As in `layer_tree.py`. */
const LONGEST_SEARCH = 200;

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
  const facts = element("div", { class: "rw-tree-facts" });
  el.append(field, status, list, facts, errorLine(model, signal));

  let tree = buildTree([]);
  /** @type {Set<TreeNode>} */
  let open = new Set();
  /** What was open before the search. @type {Set<TreeNode>} */
  let openBefore = new Set();
  /** @type {ReturnType<typeof search>} */
  let found = null;
  /** The row that Tab leads to. @type {TreeNode | undefined} */
  let current;
  // Where the marks say that a layer is: a page without a kernel has some and no others.
  const where = host?.saved ? "in this page" : "in the cache";

  /** @param {Set<TreeNode>} shown */
  const groupsOf = (shown) => new Set([...shown].filter((node) => !node.row));
  const selected = () => tree.layers.get(model.get("selected"));
  const rows = treeList(list, signal, {
    current: () => current,
    selected,
    shown: () => found?.shown,
    onDraw: mark,
  });

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

  /** The lines are others now: after opening, closing, a search. */
  function rearrange() {
    rows.show(linesOf(tree.root, open, found?.shown));
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
    if (shows && open.has(node) && !found && output) choose(output.name);
  }

  /** Selects a layer, and says so of the one that is selected too: it may have failed. */
  function choose(/** @type {string} */ name) {
    setTrait(model, "selected", name);
    el.dispatchEvent(new CustomEvent("rw-chosen", { bubbles: true, detail: name }));
  }

  /** Draws everything anew. */
  function redraw() {
    const hadFocus = list.matches(":focus-within");
    rows.empty();
    const lines = linesOf(tree.root, open, found?.shown);
    const there = lines.flatMap((line) => line.nodes);
    current = there.find((node) => node === (current ?? selected())) ?? there[0];
    const total = tree.layers.size;
    if (total === 0) status.textContent = "No model yet";
    else if (found?.hits.length === 0) status.textContent = `No layer matches “${field.value}”`;
    else status.textContent = found ? `${found.hits.length} of ${total} layers` : "";
    list.hidden = lines.length === 0;
    status.classList.toggle("rw-empty", list.hidden);
    field.disabled = total === 0;
    rows.show(lines);
    if (hadFocus && current) rows.items.get(current)?.focus({ preventScroll: true });
  }

  /** Brings selection, cache marks and what is open up to date in all that is drawn. */
  function mark() {
    const cached = new Set(model.get("cached"));
    const computing = tree.layers.get(model.get("computing"));
    const busy = new Set(computing ? withParents(computing) : []);
    const chosen = selected();
    for (const [node, item] of rows.items) {
      markItem(item, node, { cached, where, busy, open, chosen });
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
    if (current) rows.items.get(current)?.setAttribute("tabindex", "-1");
    current = node;
    if (node) rows.items.get(node)?.setAttribute("tabindex", "0");
  }

  /** Focus follows, and the selection too where the row is a layer. @param {TreeNode} [node] */
  function goTo(node) {
    if (!node) return;
    rows.scrollTo(node);
    // Before anything is changed: a page is laid out to give the focus away.
    rows.items.get(node)?.focus({ preventScroll: true });
    walkTo(node);
    if (!node.row || node === selected()) mark();
    if (node.row) choose(node.name);
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
    rows.scrollTo(node);
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
      const first = found ? found.hits[0] : rows.places().keys().next().value;
      if (event.key === "Escape" && field.value) clear();
      else if (event.key === "Enter" && found && first) choose(first.name);
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
      const node = item && rows.nodeOf(item);
      if (!node) return;
      goTo(node);
      const onTwisty = Boolean(/** @type {Element} */ (event.target).closest(".rw-tree-twisty"));
      if (!node.row) press(node, !onTwisty);
    },
    { signal },
  );

  const act = treeKeys({
    now: () => ({ places: rows.places(), lines: rows.lines(), open, found, root: tree.root }),
    page: rows.page,
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
  const left = (/** @type {FocusEvent} */ { relatedTarget: to }) =>
    !(to instanceof Node && list.contains(to));
  list.addEventListener("focusout", (event) => left(event) && mark(), { signal });
}

export default { render };
