// The histogram of what is shown, with the two ends of the range as handles on it.

import { barChart } from "./bars.js";
import { change, element, formatShort, throttle } from "./shared.js";

/** The ends do not come nearer to each other than this part of the axis. */
const LEAST = 1 / 500;

/**
 * What the histogram shows: all values, and the range in force even where it is wider.
 * @param {[number, number]} values
 * @param {[number, number]} range
 * @returns {[number, number]}
 */
export function axisOf(values, range) {
  return [Math.min(values[0], range[0]), Math.max(values[1], range[1])];
}

/**
 * The range after one of its ends was moved. Around zero both move.
 * @param {[number, number]} range
 * @param {0 | 1} end
 * @param {number} value
 * @param {[number, number]} axis
 * @param {boolean} symmetric
 * @returns {[number, number]}
 */
export function movedRange(range, end, value, axis, symmetric) {
  const least = (axis[1] - axis[0]) * LEAST;
  if (symmetric) {
    const reach = Math.max(end ? value : -value, least / 2);
    return [-reach, reach];
  }
  return end
    ? [range[0], Math.max(value, range[0] + least)]
    : [Math.min(value, range[1] - least), range[1]];
}

/**
 * Where a key takes an end, or NaN for keys that are not ours.
 * @param {string} key
 * @param {number} value
 * @param {[number, number]} axis
 * @param {boolean} far
 */
export function stepEnd(key, value, axis, far) {
  const step = (axis[1] - axis[0]) / (far ? 10 : 100);
  /** @type {Record<string, number>} */
  const targets = {
    ArrowLeft: value - step,
    ArrowDown: value - step,
    ArrowRight: value + step,
    ArrowUp: value + step,
    PageDown: value - 10 * step,
    PageUp: value + 10 * step,
    Home: axis[0],
    End: axis[1],
  };
  return key in targets ? targets[key] : NaN;
}

/** A line around the bins, in a box 100 high and one wide a bin. */
export function outlinePath(/** @type {ArrayLike<number>} */ bins) {
  const most = Array.from(bins).reduce((top, count) => Math.max(top, count), 0) || 1;
  const steps = Array.from(bins, (count) => `V${(100 - (100 * count) / most).toFixed(1)}h1`);
  return `M0 100${steps.join("")}V100`;
}

/**
 * @typedef {{ axis: [number, number], range: [number, number], symmetric: boolean,
 *   bars: ArrayLike<number>, outline: ArrayLike<number> | null }} Spread
 * @param {AbortSignal} signal
 * @param {(limits: number[]) => void} choose takes the new range, or `[]` for the one of itself
 */
export function rangeHistogram(signal, choose) {
  const chart = barChart();
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const outline = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.append(outline);
  svg.setAttribute("class", "rw-layer-line");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const shades = [0, 1].map(() => element("div", { class: "rw-histogram-shade" }));
  const handles = ["Lower", "Upper"].map((name) =>
    element("div", {
      class: "rw-histogram-end",
      role: "slider",
      tabindex: 0,
      "aria-label": `${name} end of the range`,
      title: `${name} end of the range: drag it, or use the arrow keys; double-click for automatic`,
    }),
  );
  const box = element("div", { class: "rw-histogram-box" }, chart.node, svg, ...shades, ...handles);
  const node = element("div", { class: "rw-histogram" }, box);

  /** @type {Spread | null} */
  let shown = null;
  /** While an end is dragged the axis stays, or it would run away under the pointer.
   * @type {[number, number] | null} */
  let held = null;

  const axisNow = () => held ?? shown?.axis ?? [0, 1];

  function place() {
    if (!shown) return;
    const axis = axisNow();
    const at = shown.range.map((value) => {
      const share = (value - axis[0]) / (axis[1] - axis[0]);
      return 100 * Math.max(0, Math.min(1, share || 0));
    });
    shades[0].style.width = `${at[0]}%`;
    shades[1].style.width = `${100 - at[1]}%`;
    handles.forEach((handle, end) => {
      const value = /** @type {Spread} */ (shown).range[end];
      handle.style.left = `${at[end]}%`;
      change(handle, {
        "aria-valuemin": Math.min(axis[0], value),
        "aria-valuemax": Math.max(axis[1], value),
        "aria-valuenow": value,
        "aria-valuetext": formatShort(value),
      });
    });
  }

  function move(/** @type {0 | 1} */ end, /** @type {number} */ value) {
    if (!shown || !Number.isFinite(value)) return;
    choose(movedRange(shown.range, end, value, axisNow(), shown.symmetric));
  }

  let pointer = 0;
  /** @type {0 | 1} */
  let dragged = 0;
  const follow = throttle(() => {
    const rect = box.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (pointer - rect.left) / rect.width));
    const axis = axisNow();
    move(dragged, axis[0] + share * (axis[1] - axis[0]));
  }, signal);

  handles.forEach((handle, index) => {
    const end = /** @type {0 | 1} */ (index);
    handle.addEventListener(
      "pointerdown",
      (event) => {
        if (event.button !== 0 || !shown) return;
        handle.setPointerCapture(event.pointerId);
        handle.focus();
        held = shown.axis;
        dragged = end;
        event.preventDefault();
      },
      { signal },
    );
    handle.addEventListener(
      "pointermove",
      (event) => {
        if (!handle.hasPointerCapture(event.pointerId)) return;
        pointer = event.clientX;
        follow();
      },
      { signal },
    );
    handle.addEventListener(
      "lostpointercapture",
      () => {
        held = null;
        place();
      },
      { signal },
    );
    handle.addEventListener(
      "keydown",
      (event) => {
        if (!shown || event.altKey || event.ctrlKey || event.metaKey) return;
        if (event.key === "Delete" || event.key === "Backspace") choose([]);
        else {
          const value = stepEnd(event.key, shown.range[end], shown.axis, event.shiftKey);
          if (Number.isNaN(value)) return;
          move(end, value);
        }
        event.preventDefault();
      },
      { signal },
    );
  });
  node.addEventListener("dblclick", () => choose([]), { signal });

  return {
    node,
    /** The axis that bins have to be counted over: that of the drag while there is one. */
    axis: (/** @type {[number, number]} */ wanted) => held ?? wanted,
    /** @param {Spread} next */
    show(next) {
      shown = next;
      chart.draw(next.bars);
      change(svg, { hidden: !next.outline });
      if (next.outline) {
        change(svg, { viewBox: `0 0 ${next.outline.length} 100` });
        change(outline, { d: outlinePath(next.outline) });
      }
      place();
    },
  };
}
