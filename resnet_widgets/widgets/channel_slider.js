// The bar chart of strengths is the slider; beside it: play, how fast, the strongest, in which order.

import { channelTrack } from "./channel_track.js";
import { channelKinds, KINDS, orderControl, strongestChannel, visibleChannels } from "./orders.js";
import {
  becomeRoot,
  change,
  element,
  errorLine,
  followFrame,
  formatShort,
  numberSelect,
  onChange,
  setTrait,
} from "./shared.js";

const SPEEDS = [1, 2, 4, 8, 16, 30];
/** Channels a second for those who do not want things to move: no flicker. */
const CALM = 2;

/** Milliseconds that a channel stays while playing. */
export function playPause(/** @type {number} */ speed, /** @type {boolean} */ calm) {
  return 1000 / (calm ? Math.min(speed, CALM) : speed);
}

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context */
async function renderSlider({ model, el, signal, host }) {
  becomeRoot(el, signal);
  el.classList.add("rw-slider");
  const track = channelTrack(signal, (channel) => setTrait(model, "value", channel));
  const play = element("button", { type: "button", class: "rw-play" });
  const speed = numberSelect(
    model,
    "speed",
    {
      label: "Channels a second",
      title: "Channels a second while playing",
      choices: SPEEDS,
      text: (number) => `${number} / s`,
    },
    signal,
  );
  speed.classList.add("rw-speed");
  const order = orderControl(model, "value", signal);
  const strongest = element("button", {
    type: "button",
    class: "rw-strongest",
    text: "strongest",
    title: "Go to the channel with the largest mean",
  });
  const sign = element("span", { class: "rw-kind" });
  const few = element("span");
  const hidden = element("span");
  track.node.append(
    element("div", { class: "rw-track-note", "aria-hidden": "true" }, sign, few, hidden),
  );
  el.append(
    errorLine(model, signal),
    element("div", { class: "rw-slider-row" }, play, speed, track.node, strongest, order),
  );

  /** @type {import("./frame.js").Frame | null} */
  let frame = null;
  /** @type {number[]} channel at each position */
  let channels = [];

  /** The channel shown; one beyond the layer's last is that. */
  const channelNow = () => Math.min(model.get("value"), (frame?.channels ?? channels.length) - 1);
  const positionOf = () => Math.max(0, channels.indexOf(channelNow()));

  function show() {
    const channel = channelNow();
    const strong = frame ? `, strength ${formatShort(frame.strength[channel])}` : "";
    const count = frame?.channels ?? channels.length;
    const left = count - channels.length;
    change(hidden, { text: left ? `${left} hidden` : "", hidden: !left });
    const without = left ? `, ${left} hidden` : "";
    const kind = frame && !frame.isVector ? channelKinds(frame)[channel] : "";
    const odd = kind ? `, ${KINDS[kind].meaning}` : "";
    change(sign, { text: kind ? KINDS[kind].sign : "", hidden: !kind });
    change(few, { text: kind ? KINDS[kind].few : "", hidden: !kind });
    track.show({
      channels,
      values: frame?.strength ?? null,
      channel,
      label: model.get("description") || "Channel",
      text: count ? `channel ${channel} of ${count}${strong}${odd}${without}` : "no channels",
    });
  }

  function arrange() {
    const alone = model.get("store") ? 0 : Math.max(0, model.get("count"));
    channels = frame
      ? visibleChannels(frame, model, channelNow())
      : Array.from({ length: alone }, (_, channel) => channel);
    order.hidden = strongest.hidden = !frame;
    show();
  }

  function go(/** @type {number} */ position) {
    if (channels.length) setTrait(model, "value", channels[position]);
  }

  // Playing: each step waits for its turn after the last change, so that a second view of the same
  // slider, or a hand on it, restarts the wait instead of doubling the pace.
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  function tick() {
    clearTimeout(timer);
    if (!model.get("playing") || signal.aborted) return;
    timer = setTimeout(
      () => {
        const next = positionOf() + 1;
        if (next < channels.length) go(next);
        if (next >= channels.length - 1) setTrait(model, "playing", false);
      },
      playPause(model.get("speed"), calm.matches),
    );
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
  /** While the frame of the layer is on its way the strongest channel is only wished for. */
  let [busy, wished] = [false, false];
  function goStrongest(hide = model.get("hide")) {
    wished = busy;
    if (frame && !busy) setTrait(model, "value", strongestChannel(frame, hide));
  }
  strongest.addEventListener(
    "click",
    () => {
      setTrait(model, "playing", false);
      goStrongest();
    },
    { signal },
  );
  track.node.addEventListener("pointerdown", () => setTrait(model, "playing", false), { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));

  onChange(
    model,
    ["value"],
    () => {
      wished = false;
      // A channel that was left out is there while it is the one shown.
      if (model.get("hide")) arrange();
      else show();
      tick();
    },
    signal,
  );
  onChange(model, ["description"], show, signal);
  onChange(model, ["order", "reference", "count", "hide"], arrange, signal);
  onChange(model, ["playing", "speed"], showPlaying, signal);
  showPlaying();
  arrange();

  await followFrame({ model, host, signal }, (now) => {
    busy = now.state === "busy";
    if (busy) return;
    frame = now.state === "ready" ? now.frame : null;
    arrange();
    // Any other change of the channel would end the wish.
    if (wished) goStrongest();
    // Whatever is hidden: the kernel, which comes to the same, does not know.
    else if (frame && model.get("value") >= frame.channels) goStrongest(false);
  });
}

export default { render: renderSlider };
