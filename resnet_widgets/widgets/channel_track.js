// A bar chart of channels that is a slider: the chosen bar is the thumb.

import { barChart } from "./bars.js";
import { change, element, throttle } from "./shared.js";

/**
 * Where a key takes the thumb: a position, or -1 for keys that are not ours.
 * @param {string} key
 * @param {number} position
 * @param {number} count
 */
export function stepSlider(key, position, count) {
  const page = Math.max(1, Math.round(count / 10));
  /** @type {Record<string, number>} */
  const targets = {
    ArrowLeft: position - 1,
    ArrowDown: position - 1,
    ArrowRight: position + 1,
    ArrowUp: position + 1,
    PageDown: position - page,
    PageUp: position + page,
    Home: 0,
    End: count - 1,
  };
  return key in targets ? Math.max(0, Math.min(count - 1, targets[key])) : -1;
}

/**
 * @typedef {{ channels: number[], values: ArrayLike<number> | null, channel: number, label: string,
 *   text: string }} Track `channels` in their order; `values` by channel, or null for bars of one
 *   height
 * @param {AbortSignal} signal
 * @param {(channel: number) => void} go
 */
export function channelTrack(signal, go) {
  const chart = barChart();
  const thumb = element("div", { class: "rw-thumb" }, element("i"));
  const node = element(
    "div",
    { class: "rw-track", role: "slider", tabindex: 0 },
    element("div", { class: "rw-bars-box" }, chart.node),
    thumb,
  );
  /** @type {Track} */
  let shown = { channels: [], values: null, channel: 0, label: "", text: "" };
  let width = 0;

  const positionOf = () => Math.max(0, shown.channels.indexOf(shown.channel));

  function drawBars() {
    const { channels, values } = shown;
    chart.draw(values ? channels.map((c) => values[c] ?? 0) : channels.map(() => 1), width);
  }

  function drawThumb() {
    const { channels, values, channel, label, text } = shown;
    const position = positionOf();
    const count = channels.length;
    change(node, {
      "aria-label": label,
      "aria-disabled": String(count === 0),
      "aria-valuemin": 0,
      "aria-valuemax": Math.max(0, count - 1),
      "aria-valuenow": position,
      "aria-valuetext": text,
      title: text,
    });
    change(thumb, { hidden: count === 0 });
    if (!count) return;
    thumb.style.left = `${(100 * (position + 0.5)) / count}%`;
    thumb.style.width = `max(3px, ${85 / count}%)`;
    let [top, bottom] = [0, 0];
    for (const one of channels) {
      const value = values?.[one] ?? 1;
      if (!Number.isFinite(value)) continue;
      top = Math.max(top, value);
      bottom = Math.min(bottom, value);
    }
    const value = values ? values[channel] : 1;
    const known = Number.isFinite(value) ? value : 0;
    const share = (/** @type {number} */ at) => `${(100 * (top - at)) / (top - bottom || 1)}%`;
    thumb.style.setProperty("--rw-from", share(Math.max(0, known)));
    thumb.style.setProperty("--rw-to", `calc(100% - ${share(Math.min(0, known))})`);
  }

  let pointer = 0;
  const followPointer = throttle(() => {
    const count = shown.channels.length;
    const box = node.getBoundingClientRect();
    const at = Math.floor(((pointer - box.left) / box.width) * count);
    if (count) go(shown.channels[Math.max(0, Math.min(count - 1, at))]);
  }, signal);
  const drag = (/** @type {PointerEvent} */ event) => {
    pointer = event.clientX;
    followPointer();
  };
  /** Where a finger came down; it may be about to scroll the page. @type {[number, number] | null} */
  let down = null;
  node.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button !== 0) return;
      node.setPointerCapture(event.pointerId);
      down = event.pointerType === "mouse" ? null : [event.clientX, event.clientY];
      if (!down) drag(event);
    },
    { signal },
  );
  node.addEventListener(
    "pointermove",
    (event) => {
      if (!node.hasPointerCapture(event.pointerId)) return;
      const [x, y] = [event.clientX, event.clientY];
      if (down && Math.abs(x - down[0]) <= Math.abs(y - down[1])) return;
      down = null;
      drag(event);
    },
    { signal },
  );
  node.addEventListener(
    "pointerup",
    (event) => {
      // A tap.
      if (down) drag(event);
      down = null;
    },
    { signal },
  );
  node.addEventListener(
    "keydown",
    (event) => {
      const { channels } = shown;
      if (!channels.length || event.altKey || event.ctrlKey || event.metaKey) return;
      const position = stepSlider(event.key, positionOf(), channels.length);
      if (position < 0) return;
      event.preventDefault();
      go(channels[position]);
    },
    { signal },
  );
  const resized = new ResizeObserver(() => {
    width = node.clientWidth;
    drawBars();
  });
  resized.observe(node);
  signal.addEventListener("abort", () => resized.disconnect());

  return {
    node,
    /** @param {Track} next */
    show(next) {
      const same = next.channels === shown.channels && next.values === shown.values;
      shown = next;
      if (!same) drawBars();
      drawThumb();
    },
  };
}
