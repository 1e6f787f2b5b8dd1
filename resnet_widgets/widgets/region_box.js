// Boxes over a picture, and the one that a hand draws: by dragging, or by Shift and arrows.

import { cursorCells, placeBox, STEPS } from "./cursor.js";
import { element, onChange, setTrait, throttle } from "./shared.js";

/** Pixels on the screen that a mouse moves before it draws a box, … */
const SLOP = 4;
/** … milliseconds that a finger or a pen stays before it does, and pixels it may tremble. */
const HOLD = 350;
const TREMBLE = 10;

/** @typedef {[x: number, y: number]} Cell column and row */

/**
 * The box around two cells and all between them, in 0…1 of the picture.
 * @param {Cell} one
 * @param {Cell} other
 * @param {[width: number, height: number]} grid
 */
export function boxAround(one, other, grid) {
  const from = [0, 1].map((axis) => Math.min(one[axis], other[axis]) / grid[axis]);
  const to = [0, 1].map((axis) => (Math.max(one[axis], other[axis]) + 1) / grid[axis]);
  return [...from, ...to];
}

/**
 * An element that lies where a trait (`[x0, y0, x1, y1]` in 0…1, or `[]`) says.
 * @param {HTMLElement} area what 0…1 is measured in
 * @param {any} model
 * @param {string} trait
 * @param {AbortSignal} signal
 */
export function traitBox(area, model, trait, signal) {
  const box = element("div", { class: `rw-box-${trait}` });
  area.append(box);
  const show = () => placeBox(box, model.get(trait) ?? []);
  onChange(model, [trait], show, signal);
  show();
}

/**
 * Lets a hand set the trait `region` of a model: a mouse that drags, a finger or a pen that stays and
 * then drags (at once it would scroll the page). A box drawn by keys starts at the cursor and takes it
 * along; Escape clears it.
 * @param {object} options
 * @param {HTMLElement} options.node what listens
 * @param {HTMLElement} [options.area] what 0…1 is measured in
 * @param {any} options.model
 * @param {() => [number, number] | null} options.cells width and height of the grid that a dragged
 *   box keeps to, or null while there is nothing to draw on
 * @param {() => [number, number] | null} [options.steps] likewise for the keys
 * @param {AbortSignal} options.signal
 */
export function regionBox({ node, area = node, model, cells, steps = cells, signal }) {
  traitBox(area, model, "region", signal);

  /** @type {{ cell: Cell, x: number, y: number } | null} */
  let start = null;
  let dragged = false;
  /** Timer of a finger that stays. */
  let holding = 0;
  /** @type {number[]} */
  let drawn = [];
  const draw = throttle(() => setTrait(model, "region", drawn), signal);

  /** @returns {Cell | null} the cell under the pointer, the nearest if that is `clamped` */
  function cellAt(
    /** @type {PointerEvent} */ event,
    /** @type {[number, number]} */ grid,
    clamped = false,
  ) {
    const box = area.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (!clamped && !at.every((share) => share >= 0 && share < 1)) return null;
    const [x, y] = at.map((share, i) =>
      Math.max(0, Math.min(grid[i] - 1, Math.floor(share * grid[i]))),
    );
    return [x, y];
  }

  function down(/** @type {PointerEvent} */ event) {
    dragged = false;
    const grid = cells();
    const cell = grid && event.button === 0 && event.isPrimary ? cellAt(event, grid) : null;
    end();
    start = cell && { cell, x: event.clientX, y: event.clientY };
    if (!grid || !cell) return;
    // At once: a fast pointer is outside with its first move.
    node.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") return;
    holding = setTimeout(() => {
      holding = 0;
      dragged = true;
      drawn = boxAround(cell, cell, grid);
      draw();
    }, HOLD);
  }
  function move(/** @type {PointerEvent} */ event) {
    const grid = cells();
    if (!start || !grid) return;
    const way = Math.hypot(event.clientX - start.x, event.clientY - start.y);
    if (event.pointerType !== "mouse" && !dragged) {
      if (way > TREMBLE) end();
      return;
    }
    if (!dragged && way < SLOP) return;
    dragged = true;
    drawn = boxAround(start.cell, /** @type {Cell} */ (cellAt(event, grid, true)), grid);
    draw();
  }
  function end() {
    start = null;
    clearTimeout(holding);
    holding = 0;
  }
  /** A finger that draws does not scroll, and opens no menu. */
  function keep(/** @type {Event} */ event) {
    if (start && dragged) event.preventDefault();
  }
  // The click at the end of a drag is none.
  function click(/** @type {MouseEvent} */ event) {
    if (!dragged) return;
    dragged = false;
    event.stopImmediatePropagation();
  }

  /** @type {{ anchor: Cell, head: Cell, grid: string } | null} */
  let walking = null;

  function key(/** @type {KeyboardEvent} */ event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = STEPS[event.key];
    const grid = steps();
    if (event.key === "Escape" && model.get("region").length) {
      setTrait(model, "region", []);
      walking = null;
    } else if (step && grid && event.shiftKey) {
      if (walking?.grid !== String(grid)) {
        const cell = cursorCell(model.get("cursor"), grid);
        walking = { anchor: cell, head: cell, grid: String(grid) };
      }
      const [x, y] = walking.head.map((at, i) => Math.max(0, Math.min(grid[i] - 1, at + step[i])));
      walking.head = [x, y];
      setTrait(model, "cursor", boxAround(walking.head, walking.head, grid));
      setTrait(model, "region", boxAround(walking.anchor, walking.head, grid));
    } else {
      if (step) walking = null;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  node.addEventListener("pointerdown", down, { signal });
  node.addEventListener("pointermove", move, { signal });
  node.addEventListener("pointerup", end, { signal });
  node.addEventListener("pointercancel", end, { signal });
  node.addEventListener("touchmove", keep, { signal, passive: false });
  node.addEventListener("contextmenu", keep, { signal });
  signal.addEventListener("abort", end);
  // Before what else the node does with a click or a key.
  node.addEventListener("click", click, { signal, capture: true });
  node.addEventListener("keydown", key, { signal, capture: true });
}

/** @returns {Cell} the middle cell of the cursor, or of the picture if there is none */
function cursorCell(/** @type {number[]} */ cursor, /** @type {[number, number]} */ grid) {
  const [left, top, right, bottom] = cursorCells(
    cursor.length === 4 ? cursor : [0, 0, 1, 1],
    grid[0],
    grid[1],
  );
  return [(left + right - 1) >> 1, (top + bottom - 1) >> 1];
}
