// The bar chart of strengths is the slider: the chosen bar is the thumb.

import { barChart } from "./bars.js";
import {
  becomeRoot,
  channelOrder,
  element,
  errorLine,
  followFrame,
  formatShort,
  onChange,
  orderSelect,
  setTrait,
  throttle,
} from "./shared.js";

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

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context */
async function renderSlider({ model, el, signal, host }) {
  becomeRoot(el, signal);
  el.classList.add("rw-slider");
  const chart = barChart();
  const thumb = element("div", { class: "rw-thumb" }, element("i"));
  const track = element(
    "div",
    { class: "rw-track", role: "slider", tabindex: 0 },
    element("div", { class: "rw-bars-box" }, chart.node),
    thumb,
  );
  const play = element("button", { type: "button", class: "rw-play" });
  const order = orderSelect(model, signal);
  el.append(
    errorLine(model, signal),
    element("div", { class: "rw-slider-row" }, play, track, order),
  );

  /** @type {Float32Array | null} */
  let strength = null;
  /** @type {number[]} channel at each position */
  let channels = [];
  let width = 0;

  /** Where the value is along the track; one beyond the layer's last channel is at that. */
  const positionOf = () =>
    Math.max(0, channels.indexOf(Math.min(model.get("value"), channels.length - 1)));

  function showThumb() {
    const position = positionOf();
    const count = channels.length;
    const channel = channels[position];
    track.setAttribute("aria-label", model.get("description") || "Channel");
    track.setAttribute("aria-disabled", String(count === 0));
    track.setAttribute("aria-valuemin", "0");
    track.setAttribute("aria-valuemax", String(Math.max(0, count - 1)));
    track.setAttribute("aria-valuenow", String(position));
    const strong = strength ? `, strength ${formatShort(strength[channel])}` : "";
    const text = count ? `channel ${channel} of ${count}${strong}` : "no channels";
    track.setAttribute("aria-valuetext", text);
    track.title = text;
    thumb.hidden = count === 0;
    if (!count) return;
    thumb.style.left = `${(100 * (position + 0.5)) / count}%`;
    thumb.style.width = `max(3px, ${85 / count}%)`;
    const tallest = strength?.reduce((most, s) => Math.max(most, s || 0), 0) || 1;
    const share = strength ? Math.max(0, strength[channel] || 0) / tallest : 1;
    thumb.style.setProperty("--rw-share", String(share));
  }

  function showBars() {
    chart.draw(strength ? channels.map((c) => strength?.[c] ?? 0) : channels.map(() => 1), width);
    showThumb();
  }

  function arrange() {
    const count = Math.max(0, model.get("count"));
    const known = strength ?? new Float32Array(model.get("store") ? 0 : count);
    channels = channelOrder(known, model.get("order"));
    order.hidden = !strength;
    showBars();
  }

  function go(/** @type {number} */ position) {
    if (channels.length) setTrait(model, "value", channels[position]);
  }

  // Playing: each step waits for its turn after the last change, so that a second view of the same
  // slider, or a hand on it, restarts the wait instead of doubling the pace.
  let timer = 0;
  function tick() {
    clearTimeout(timer);
    if (!model.get("playing") || signal.aborted) return;
    timer = setTimeout(() => {
      const next = positionOf() + 1;
      if (next < channels.length) go(next);
      if (next >= channels.length - 1) setTrait(model, "playing", false);
    }, 1000 / model.get("speed"));
  }
  function showPlaying() {
    const playing = model.get("playing");
    play.textContent = playing ? "❚❚" : "▶";
    play.title = playing ? "Pause" : "Play through the channels";
    play.setAttribute("aria-label", play.title);
    tick();
  }
  play.addEventListener(
    "click",
    () => {
      const start = !model.get("playing");
      if (start && positionOf() === channels.length - 1) go(0);
      setTrait(model, "playing", start);
    },
    { signal },
  );
  signal.addEventListener("abort", () => clearTimeout(timer));

  let pointer = 0;
  const followPointer = throttle(() => {
    const box = track.getBoundingClientRect();
    const at = Math.floor(((pointer - box.left) / box.width) * channels.length);
    go(Math.max(0, Math.min(channels.length - 1, at)));
  }, signal);
  const drag = (/** @type {PointerEvent} */ event) => {
    pointer = event.clientX;
    followPointer();
  };
  track.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button !== 0) return;
      track.setPointerCapture(event.pointerId);
      setTrait(model, "playing", false);
      drag(event);
    },
    { signal },
  );
  track.addEventListener(
    "pointermove",
    (event) => track.hasPointerCapture(event.pointerId) && drag(event),
    { signal },
  );
  track.addEventListener(
    "keydown",
    (event) => {
      if (!channels.length || event.altKey || event.ctrlKey || event.metaKey) return;
      const position = stepSlider(event.key, positionOf(), channels.length);
      if (position < 0) return;
      event.preventDefault();
      go(position);
    },
    { signal },
  );

  onChange(
    model,
    ["value"],
    () => {
      showThumb();
      tick();
    },
    signal,
  );
  onChange(model, ["description"], showThumb, signal);
  onChange(model, ["order", "count"], arrange, signal);
  onChange(model, ["playing", "speed"], showPlaying, signal);
  const resized = new ResizeObserver(() => {
    width = track.clientWidth;
    showBars();
  });
  resized.observe(track);
  signal.addEventListener("abort", () => resized.disconnect());
  showPlaying();
  arrange();

  await followFrame({ model, host, signal }, (now) => {
    if (now.state === "busy") return;
    strength = now.state === "ready" ? now.frame.strength : null;
    arrange();
    if (strength && model.get("value") >= strength.length) go(strength.length - 1);
  });
}

export default { render: renderSlider };
