// The channels that the knobs turn together: typed into a field, or ticked where they are listed.

import { change, element, followFrame, onChange, setTrait } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

/** Channels that are taken before it is known how many there are: as many as edits may have. */
const MOST_CHANNELS = 8192;

/**
 * Channels as they are typed, `3, 17, 40-47`.
 * @param {string} text
 * @param {number} count channels of the layer
 * @returns {{ channels: number[], wrong: string }} in order, each once; the part that names none
 */
export function readChannels(text, count) {
  /** @type {Set<number>} */
  const found = new Set();
  for (const part of text.replace(/\s*[-–]\s*/g, "-").match(/[^\s,;]+/g) ?? []) {
    const [, first, last = first] = part.match(/^(\d+)(?:-(\d+))?$/) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(last) >= count)
      return { channels: [], wrong: part };
    for (let channel = Number(first); channel <= Number(last); channel++) found.add(channel);
  }
  return { channels: [...found].sort((a, b) => a - b), wrong: "" };
}

/** Channels in order as a person would type them: what `readChannels` reads. */
export function writeChannels(/** @type {number[]} */ channels) {
  /** @type {[number, number][]} */
  const runs = [];
  for (const channel of channels) {
    const run = runs.at(-1);
    if (run && channel === run[1] + 1) run[1] = channel;
    else runs.push([channel, channel]);
  }
  return runs
    .map(([first, last]) =>
      last - first > 1 ? `${first}-${last}` : [...new Set([first, last])].join(", "),
    )
    .join(", ");
}

/** @typedef {ReturnType<typeof chosenChannels>} Chosen */

/**
 * Which channels of the layer were typed or ticked; those of another layer are others.
 * @param {any} model
 * @param {AbortSignal} signal
 */
export function chosenChannels(model, signal) {
  /** @type {number[] | null} in order; null while what is typed cannot be read */
  let channels = [];
  /** @type {(() => void)[]} */
  const listeners = [];
  function set(/** @type {number[] | null} */ next) {
    channels = next;
    for (const listener of listeners) listener();
  }
  onChange(model, ["layer"], () => set([]), signal);
  return {
    get: () => channels,
    set,
    has: (/** @type {string} */ layer, /** @type {number} */ channel) =>
      layer === model.get("layer") && !!channels?.includes(channel),
    onChange: (/** @type {() => void} */ listener) => {
      listeners.push(listener);
    },
  };
}

/** `3 channels`. */
export const countOfChannels = (/** @type {number} */ count) =>
  `${count} ${count === 1 ? "channel" : "channels"}`;

/**
 * A field for the channels; empty, it stands for the one that is selected.
 * @param {Panel} panel
 */
export function channelsField(panel) {
  const { model, chosen, signal } = panel;
  const id = `rw-${Math.random().toString(36).slice(2)}`;
  const field = element("input", {
    type: "text",
    placeholder: "several, such as 3, 17, 40-47",
    autocomplete: "off",
    spellcheck: "false",
    title: "Channels of this layer; with another layer they go",
    "aria-describedby": id,
  });
  const empty = element("button", {
    type: "button",
    class: "rw-quiet",
    text: "×",
    title: "The selected channel alone",
    "aria-label": "The selected channel alone",
    hidden: true,
  });
  const note = element("p", { class: "rw-why-wrong", id, role: "status" });
  let count = MOST_CHANNELS;

  function say(/** @type {string} */ text) {
    change(note, { text, title: text || null });
    change(field, { "aria-invalid": text ? "true" : null });
  }
  function arrange() {
    const { channels, wrong } = readChannels(field.value, count);
    const typed = wrong ? null : channels;
    empty.hidden = !chosen.get()?.length && !wrong;
    // Not while it is typed: it would change under the hand.
    if (JSON.stringify(typed) === JSON.stringify(chosen.get())) return;
    field.value = writeChannels(chosen.get() ?? []);
    empty.hidden = !field.value;
    say("");
  }
  function read() {
    const { channels, wrong } = readChannels(field.value, count);
    if (!wrong) say("");
    chosen.set(wrong ? null : channels);
  }
  field.addEventListener("input", read);
  field.addEventListener("change", () => {
    const { channels, wrong } = readChannels(field.value, count);
    if (!wrong) field.value = writeChannels(channels);
    else say(`Channels are 0 to ${count - 1}. Received: ${wrong.slice(0, 40)}`);
  });
  empty.addEventListener("click", () => {
    chosen.set([]);
    field.focus();
  });
  chosen.onChange(arrange);
  arrange();
  onChange(model, ["layer"], () => allow(MOST_CHANNELS), signal);
  // The explorer reads the same frame: it is fetched once.
  followFrame(panel, (state) => state.state === "ready" && allow(state.frame.channels));

  function allow(/** @type {number} */ now) {
    if (count === now) return;
    count = now;
    if (field.value) read();
  }
  const label = element("label", {}, "channels", field);
  return { node: element("div", { class: "rw-why-channels" }, label, empty), note };
}

/**
 * A row with a box before it that takes the row's channel among the chosen ones.
 * @param {Panel} panel
 * @param {string} layer
 * @param {number} channel
 * @param {...Node} row
 */
export function tickRow({ model, chosen }, layer, channel, ...row) {
  const box = element("input", { type: "checkbox" });
  box.setAttribute("aria-label", `choose channel ${channel} of ${layer}`);
  box.checked = chosen.has(layer, channel);
  box.addEventListener("change", () => {
    const isOn = box.checked;
    setTrait(model, "layer", layer);
    const others = (chosen.get() ?? []).filter((one) => one !== channel);
    chosen.set(isOn ? [...others, channel].sort((a, b) => a - b) : others);
  });
  const tick = element("label", { class: "rw-why-tick" }, box);
  return {
    node: element("div", { class: "rw-why-ranked" }, tick, ...row),
    mark: () => {
      box.checked = chosen.has(layer, channel);
    },
  };
}
