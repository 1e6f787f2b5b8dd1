import {
  badgeOf,
  buildTree,
  factsOf,
  figureOf,
  layersOf,
  search,
  typeAhead,
  visible,
  withParents,
} from "./layers.js";
import { becomeRoot, element, errorLine, onChange, setTrait } from "./shared.js";

/** @typedef {import("./layers.js").TreeNode} TreeNode */

/** Milliseconds after which a typed letter starts a new word. */
const TYPING = 700;

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal }} context */
function render({ model, el, signal }) {
  becomeRoot(el, signal);
  el.classList.add("rw-tree");
  const field = element("input", {
    type: "search",
    class: "rw-tree-search",
    placeholder: "Find a layer  /",
    "aria-label": "Find a layer",
    autocomplete: "off",
    spellcheck: "false",
  });
  const status = element("div", { class: "rw-tree-status", role: "status" });
  const list = element("ul", { class: "rw-tree-list", role: "tree", "aria-label": "Layers" });
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
  /** @type {Map<TreeNode, HTMLElement>} */
  const items = new Map();
  /** @type {Map<Element, TreeNode>} */
  const nodes = new Map();
  let typed = "";
  let typedAt = 0;

  /** @param {Set<TreeNode>} shown */
  const groupsOf = (shown) => new Set([...shown].filter((node) => !node.row));
  const selected = () => tree.layers.get(model.get("selected"));
  const seen = () => visible(tree.root, open, found?.shown);

  /** @type {(node: TreeNode, index: number, siblings: TreeNode[]) => HTMLElement} */
  function draw(node, index, siblings) {
    const { row, label, name } = node;
    const badge = row && badgeOf(row.kind);
    const line = element(
      "div",
      { class: "rw-tree-row", title: row ? [name, ...factsOf(row)].join("\n") : name },
      badge
        ? element("span", {
            class: `rw-tree-badge rw-tree-badge-${badge.name}`,
            title: row.kind,
            text: badge.letter,
          })
        : element("span", { class: "rw-tree-twisty" }),
      element("span", { class: "rw-tree-label", text: label }),
      element("span", { class: "rw-tree-figure", text: figureOf(node) }),
      element("span", { class: "rw-tree-dot" }),
    );
    const item = element(
      "li",
      {
        class: "rw-tree-item",
        role: "treeitem",
        "aria-level": withParents(node).length - 1,
        "aria-setsize": siblings.length,
        "aria-posinset": index + 1,
        "aria-label": name,
        "aria-expanded": row ? null : "false",
        tabindex: node === current ? 0 : -1,
      },
      line,
    );
    if (node.isShortcut) {
      item.classList.add("rw-tree-shortcut");
      // The first layer of a shortcut carries its heading.
      if (!siblings[index - 1]?.isShortcut) {
        const heading = { class: "rw-tree-heading", "aria-hidden": "true", text: "shortcut" };
        item.prepend(element("div", heading));
      }
    }
    items.set(node, item);
    nodes.set(item, node);
    if (open.has(node)) unfold(node);
    return item;
  }

  /** @param {TreeNode} node */
  function drawChildren(node) {
    return node.children.filter((child) => !found || found.shown.has(child)).map(draw);
  }

  /** Shows the children of a node; they are drawn when this is first asked. @param {TreeNode} node */
  function unfold(node) {
    open.add(node);
    const item = items.get(node);
    if (!item || node.row) return;
    item.setAttribute("aria-expanded", "true");
    const group = item.querySelector("ul");
    if (group) group.hidden = false;
    else item.append(element("ul", { role: "group" }, ...drawChildren(node)));
  }

  /** @param {TreeNode} node */
  function fold(node) {
    open.delete(node);
    const group = items.get(node)?.querySelector("ul");
    items.get(node)?.setAttribute("aria-expanded", "false");
    if (group) group.hidden = true;
    if (current && withParents(current).includes(node)) walkTo(node);
  }

  /** @param {TreeNode} node */
  function toggle(node) {
    if (open.has(node)) fold(node);
    else unfold(node);
    mark();
  }

  /** Draws all that is open, anew. */
  function redraw() {
    const hadFocus = list.matches(":focus-within");
    items.clear();
    nodes.clear();
    list.replaceChildren(...drawChildren(tree.root));
    const total = tree.layers.size;
    if (total === 0) status.textContent = "No model yet";
    else if (found?.hits.length === 0) status.textContent = `No layer matches “${field.value}”`;
    else status.textContent = found ? `${found.hits.length} of ${total} layers` : "";
    list.hidden = list.childElementCount === 0;
    status.classList.toggle("rw-empty", list.hidden);
    field.disabled = total === 0;
    const there = seen();
    walkTo(there.find((node) => node === (current ?? selected())) ?? there[0]);
    if (hadFocus && current) items.get(current)?.focus({ preventScroll: true });
    mark();
  }

  /** Brings selection and cache marks of all drawn rows up to date. */
  function mark() {
    const cached = new Set(model.get("cached"));
    const computing = tree.layers.get(model.get("computing"));
    const busy = new Set(computing ? withParents(computing) : []);
    const chosen = selected();
    for (const [node, item] of items) {
      const layers = layersOf(node);
      const ready = layers.filter((layer) => cached.has(layer.name)).length;
      const isBusy = busy.has(node);
      let state = `${ready} of ${layers.length} layers in the cache`;
      if (node.row) state = ready ? "in the cache" : "not in the cache";
      if (isBusy) state = "being computed";
      const dot = /** @type {HTMLElement} */ (item.querySelector(".rw-tree-dot"));
      dot.dataset.cached = ready === layers.length ? "all" : ready ? "some" : "none";
      dot.classList.toggle("rw-tree-computing", isBusy);
      dot.title = state;
      const words = [node.row ? factsOf(node.row)[0] : figureOf(node), state];
      if (node.isShortcut) words.unshift("shortcut");
      item.setAttribute("aria-description", words.join(", "));
      if (node.row) item.setAttribute("aria-selected", String(node === chosen));
    }
    const lines = chosen?.row ? [chosen.name, ...factsOf(chosen.row)] : [];
    facts.replaceChildren(...lines.map((text) => element("div", { text, title: text })));
    facts.hidden = lines.length === 0;
  }

  /** Makes `node` the one that Tab leads to. @param {TreeNode | undefined} node */
  function walkTo(node) {
    if (current) items.get(current)?.setAttribute("tabindex", "-1");
    current = node;
    if (node) items.get(node)?.setAttribute("tabindex", "0");
  }

  /** Scrolls the list, and nothing else, until the row can be seen. @param {TreeNode} node */
  function scrollTo(node) {
    const row = items.get(node)?.querySelector(".rw-tree-row")?.getBoundingClientRect();
    if (!row) return;
    const box = list.getBoundingClientRect();
    if (row.top < box.top) list.scrollTop -= box.top - row.top;
    else if (row.bottom > box.bottom) list.scrollTop += row.bottom - box.bottom;
  }

  /** Focus follows, and the selection too where the row is a layer. @param {TreeNode} [node] */
  function goTo(node) {
    if (!node) return;
    walkTo(node);
    items.get(node)?.focus({ preventScroll: true });
    scrollTo(node);
    if (node.row) setTrait(model, "selected", node.name);
  }

  /** Opens the way to the selected layer. */
  function reveal() {
    const node = selected();
    const isShown = node && (!found || found.shown.has(node));
    if (isShown) {
      for (const parent of withParents(node).slice(1).reverse()) unfold(parent);
      if (!list.matches(":focus-within")) walkTo(node);
    }
    mark();
    // Last, because the facts about it take room from the list.
    if (isShown) scrollTo(node);
  }

  function find() {
    const before = found;
    found = search(tree.root, field.value);
    if (found) {
      if (!before) openBefore = open;
      open = groupsOf(found.shown);
    } else if (before) {
      // Whoever has walked to something found stays there.
      open = new Set([...openBefore, ...(current ? withParents(current).slice(1) : [])]);
    }
    redraw();
    if (!found) reveal();
  }

  function clear() {
    field.value = "";
    find();
  }

  function load() {
    tree = buildTree(model.get("layers"));
    open = new Set();
    openBefore = new Set();
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
      const row = /** @type {Element} */ (event.target).closest(".rw-tree-row");
      const node = row?.parentElement && nodes.get(row.parentElement);
      if (!node) return;
      goTo(node);
      if (!node.row) toggle(node);
    },
    { signal },
  );

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

  /**
   * What a key does on a row of the tree, as in the ARIA pattern for trees.
   * @param {string} key
   * @param {TreeNode} node
   * @returns {boolean}  whether the key meant something
   */
  function act(key, node) {
    const there = seen();
    const index = there.indexOf(node);
    const isTyping = performance.now() - typedAt < TYPING && typed !== "";
    if (key === "ArrowDown") goTo(there[index + 1]);
    else if (key === "ArrowUp") goTo(there[index - 1]);
    else if (key === "Home") goTo(there[0]);
    else if (key === "End") goTo(there[there.length - 1]);
    else if (key === "ArrowRight") {
      if (open.has(node)) goTo(there[index + 1]);
      else if (!node.row) toggle(node);
    } else if (key === "ArrowLeft") {
      if (open.has(node)) toggle(node);
      else if (node.parent !== tree.root) goTo(node.parent ?? undefined);
    } else if (key === "Enter" || (key === " " && !isTyping)) {
      if (node.row) goTo(node);
      else toggle(node);
    } else if (key === "*") {
      for (const sibling of node.parent?.children ?? []) {
        if (!sibling.row && (!found || found.shown.has(sibling))) unfold(sibling);
      }
      mark();
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
  }

  onChange(model, ["layers"], load, signal);
  onChange(model, ["selected"], reveal, signal);
  onChange(model, ["cached", "computing"], mark, signal);
  load();
  // Only a list that has its place on the page can be scrolled; one that shrinks may hide the row.
  let height = 0;
  const observer = new ResizeObserver(() => {
    const node = selected();
    const [before, now] = [height, list.clientHeight];
    height = now;
    if (node && now > 0 && (before === 0 || now < before)) scrollTo(node);
  });
  observer.observe(list);
  signal.addEventListener("abort", () => observer.disconnect());
}

export default { render };
