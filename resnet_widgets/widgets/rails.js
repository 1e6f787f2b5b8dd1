// The ways through a block as lines beside its layers: which layers stand in one row, in which
// order the rows come, and where the lines between them run. From the graph alone, not from names.

/** @typedef {import("./layers.js").Row} Row */

/**
 * The lines beside one row. Lane 0 is next to the layers; a line that goes around others has a
 * higher one.
 * @typedef {object} Rail
 * @property {number} lanes  how many lanes the whole run has
 * @property {number} lane  of the row's own node
 * @property {number[]} through  lanes of lines that pass by
 * @property {number[]} into  lanes at the upper edge from which a line ends in the node
 * @property {[number, number][]} moves  lanes at the upper and lower edge of lines that turn aside
 * @property {boolean} out  whether a line leaves the node downwards
 * @property {"add" | "multiply" | "merge" | "dot"} sign  how the node is drawn
 */

/** More lanes than this are no picture any more. */
const MOST_LANES = 4;
/** Layers that fit into one row. */
const SITE = 3;

/** What is done to each number by itself belongs to the layer before it. */
const FOLLOWS =
  /Normalization$|^Activation$|Re(LU|lu)|^P?ELU|^(Softmax|Silu|Gelu|Sigmoid|HardSigmoid|Tanh)$|Dropout$|^Gaussian|^Identity$/;
const PADDING = /Padding/;

/**
 * Which layers take the output of each layer.
 * @param {Row[]} rows
 */
export function takersOf(rows) {
  /** @type {Map<string, string[]>} */
  const takers = new Map();
  for (const row of rows) {
    for (const path of new Set(row.inputs)) {
      takers.set(path, [...(takers.get(path) ?? []), row.path]);
    }
  }
  return takers;
}

/**
 * Layers of one run, cut into sites: a layer with the normalisation and the activation that follow
 * it and nothing else, or padding with what it is for.
 * @param {Row[]} rows
 * @param {Map<string, string[]>} takers
 * @returns {Row[][]}
 */
function sitesOf(rows, takers) {
  const inside = new Map(rows.map((row) => [row.path, row]));
  const taken = new Set();
  /** The one layer that takes what `row` makes, and nothing else. @param {Row} row */
  const heir = (row) => {
    const [only, more] = takers.get(row.path) ?? [];
    const next = more === undefined ? inside.get(only) : undefined;
    return next?.inputs.length === 1 && !taken.has(next) ? next : undefined;
  };
  /** @param {Row} first */
  const chainOf = (first) => {
    const chain = [first];
    for (let next = heir(first); next && FOLLOWS.test(next.kind); next = heir(next)) {
      if (chain.includes(next)) break;
      chain.push(next);
    }
    return chain;
  };
  const sites = [];
  for (const row of rows) {
    if (taken.has(row)) continue;
    let site = row.kind === "InputLayer" ? [row] : chainOf(row);
    if (PADDING.test(row.kind)) {
      const next = heir(row);
      const whole = next && next !== row ? [row, ...chainOf(next)] : [row];
      site = whole.length <= SITE ? whole : [row];
    }
    site = site.slice(0, SITE);
    for (const one of site) taken.add(one);
    sites.push(site);
  }
  return sites;
}

/**
 * Sites in an order in which each way is walked to its end before the next one begins, the longest
 * first, and a join comes right after its last way.
 * @param {Row[][]} sites
 */
function inOrder(sites) {
  const siteOf = new Map(sites.flatMap((site) => site.map(({ path }) => [path, site])));
  /** @type {Map<Row[], Set<Row[]>>} */
  const before = new Map(sites.map((site) => [site, new Set()]));
  /** @type {Map<Row[], Row[][]>} */
  const after = new Map(sites.map((site) => [site, []]));
  for (const site of sites) {
    for (const path of site.flatMap(({ inputs }) => inputs)) {
      const source = siteOf.get(path);
      if (!source || source === site || before.get(site)?.has(source)) continue;
      before.get(site)?.add(source);
      after.get(source)?.push(site);
    }
  }
  /** How many sites come after each, on the longest way. @type {Map<Row[], number>} */
  const depth = new Map();
  for (const site of [...sites].reverse()) {
    const ways = (after.get(site) ?? []).map((next) => depth.get(next) ?? 0);
    depth.set(site, 1 + Math.max(0, ...ways));
  }
  const shortestFirst = (/** @type {Row[][]} */ some) =>
    some
      .map((site, index) => ({ site, index, depth: depth.get(site) ?? 0 }))
      .sort((a, b) => a.depth - b.depth || b.index - a.index)
      .map(({ site }) => site);
  const isReady = (/** @type {Row[]} */ site) => before.get(site)?.size === 0;
  const open = shortestFirst(sites.filter(isReady));
  /** @type {Row[][]} */
  const order = [];
  for (let site = open.pop(); site; site = open.pop()) {
    order.push(site);
    const next = after.get(site) ?? [];
    for (const one of next) before.get(one)?.delete(site);
    open.push(...shortestFirst(next.filter(isReady)));
  }
  // What the order of the graph cannot reach, because it is no graph without loops.
  return [...order, ...sites.filter((site) => !order.includes(site))];
}

/**
 * The rows of a run of layers, and the lines beside them.
 * @param {Row[]} rows  that stand side by side in one group, in model order
 * @param {Map<string, string[]>} takers  of the whole model
 * @returns {{ rows: Row[], rail: Rail | null }[]}  no rails where there are too many lines
 */
export function railsOf(rows, takers) {
  const sites = inOrder(sitesOf(rows, takers));
  /** Paths that each site takes from before it. */
  const feeds = sites.map((site) => [
    ...new Set(
      site.flatMap((row) => row.inputs).filter((path) => !site.some((r) => r.path === path)),
    ),
  ]);
  /** @type {Map<string, number>} */
  const lastUse = new Map();
  feeds.forEach((paths, index) => {
    for (const path of paths) lastUse.set(path, index);
  });
  /** What is in each lane: the path of the layer that the line comes from. @type {string[]} */
  const lanes = [];
  let most = 1;
  const freeLane = (from = 0) => {
    let lane = from;
    while (lanes[lane]) lane += 1;
    most = Math.max(most, lane + 1);
    return lane;
  };
  const rails = sites.map((site, index) => {
    const into = feeds[index].map((path) => {
      const there = lanes.indexOf(path);
      const lane = there < 0 ? freeLane() : there;
      lanes[lane] = path;
      return lane;
    });
    const passing = lanes.flatMap((path, lane) => (path && !into.includes(lane) ? [lane] : []));
    for (const lane of into) if (lastUse.get(lanes[lane]) === index) lanes[lane] = "";
    const lane = into.length ? Math.min(...into) : freeLane();
    most = Math.max(most, lane + 1);
    /** @type {[number, number][]} */
    const moves = [];
    const through = [...passing];
    for (const from of into) {
      if (!lanes[from]) continue;
      // The line goes on to a later row as well.
      const to = from === lane ? freeLane(lane + 1) : from;
      if (to === from) through.push(from);
      else {
        lanes[to] = lanes[from];
        moves.push([from, to]);
      }
      if (from === lane) lanes[from] = "";
    }
    const outs = site.filter(({ path }) => (lastUse.get(path) ?? -1) > index);
    if (outs.length) lanes[lane] = outs[outs.length - 1].path;
    /** @type {Rail["sign"]} */
    let sign = into.length > 1 ? "merge" : "dot";
    if (site[0].kind === "Add") sign = "add";
    if (site[0].kind === "Multiply") sign = "multiply";
    return { lanes: 0, lane, through, into, moves, out: outs.length > 0, sign };
  });
  for (const rail of rails) rail.lanes = most;
  return sites.map((site, index) => ({
    rows: site,
    rail: most <= MOST_LANES && sites.length > 1 ? rails[index] : null,
  }));
}
