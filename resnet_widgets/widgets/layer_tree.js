import { becomeRoot, element, errorLine, formatShape, onChange, setTrait } from "./shared.js";

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

/** Milliseconds after which a typed letter starts a new word. */
const TYPING = 700;

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
  const shapes = layersOf(node).map(({ row }) => row?.shape ?? []);
  const last = shapes[shapes.length - 1];
  if (last.length < 3) return last.length === 1 ? `${formatShape(last)} units` : formatShape(last);
  if (node.parent?.parent) return `${area(last)} × ${formatShape(last.slice(2))}`;
  // A stage is known by the size most of its layers work at, not by the padding at its border.
  /** @type {Map<string, number>} */
  const sizes = new Map();
  for (const shape of shapes) {
    if (shape.length > 2) sizes.set(area(shape), (sizes.get(area(shape)) ?? 0) + 1);
  }
  const size = [...sizes].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
  const blocks = node.children.filter((child) => !child.row).length;
  return blocks ? `${size} · ${blocks} ${blocks === 1 ? "block" : "blocks"}` : size;
}

/**
 * All facts about a layer, one string a line.
 * @param {Row} row
 */
export function factsOf({ kind, shape, dtype, parameters, field }) {
  const facts = [[kind, formatShape(shape), dtype].filter(Boolean).join(" · ")];
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
    if (node && (!found || found.shown.has(node))) {
      for (const parent of withParents(node).slice(1).reverse()) unfold(parent);
      if (!list.matches(":focus-within")) walkTo(node);
      scrollTo(node);
    }
    mark();
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
  // Only a list that has its place on the page can be scrolled.
  const observer = new ResizeObserver(() => {
    const node = selected();
    if (list.clientHeight === 0 || !node) return;
    scrollTo(node);
    observer.disconnect();
  });
  observer.observe(list);
  signal.addEventListener("abort", () => observer.disconnect());
}

export default { render };
