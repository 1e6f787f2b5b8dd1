// What the sections of the panel share: lessons, lists, pictures laid over the photo.

import { colormapGradient, colormapTable } from "./colors.js";
import { withoutEdits } from "./photo_thumb.js";
import { element, formatNumber, formatShort } from "./shared.js";

/**
 * @typedef {{ data: any, buffers: DataView[] }} Answer
 * @typedef {object} Panel what a section knows of the panel it is in
 * @property {any} model
 * @property {any} host
 * @property {AbortSignal} signal
 * @property {(what: string, options?: object,
 *   onProgress?: (progress: { share: number | null, text: string, buffers: DataView[] }) => void)
 *   => Promise<Answer | null>} ask null once a newer question of its kind was asked
 * @property {(what: string) => void} cancel
 * @property {import("./explain_channels.js").Chosen} chosen channels for the knobs to turn together
 * @property {(name: string) => void} open another section
 * @property {() => void} refresh has the section in front look again at what it shows
 * @property {() => Promise<ImageBitmap | null>} picture of the part of the photo that is looked at
 * @typedef {{ values: Float32Array, height: number, width: number, signed: boolean,
 *   limit?: number }} Heat
 */

/**
 * What is asked about: the photo, what is changed in the network, and other traits. The key of an
 * edited photo comes later than the edits in it, and is no news then: only the photo's own counts.
 * @param {any} model
 * @param {...string} names
 */
export function aboutOf(model, ...names) {
  return JSON.stringify([photoOf(model), ...["edits", ...names].map((name) => model.get(name))]);
}

/** The key of the photo itself, without that of edits. */
export const photoOf = (/** @type {any} */ model) => withoutEdits(model.get("photo"));

/**
 * What one sees, how to read it, and formulas with their sources for who asks for them.
 * @param {string} see
 * @param {string} read
 * @param {...[formula: string, source: string, address: string]} formulas
 */
export function lesson(see, read, ...formulas) {
  return element(
    "div",
    { class: "rw-why-lesson" },
    element("p", {}, element("b", { text: "What you see. " }), see),
    element("p", {}, element("b", { text: "How to read it. " }), read),
    element(
      "details",
      {},
      element("summary", { text: formulas.length > 1 ? "Formulas" : "Formula" }),
      ...formulas.flatMap(([formula, source, address]) => [
        element("p", { class: "rw-why-formula", text: formula }),
        element("a", { href: address, target: "_blank", rel: "noopener", text: source }),
      ]),
    ),
  );
}

/** The colours of a picture, and the numbers at their ends. */
export function colourKey() {
  const node = element("div", { class: "rw-why-key", hidden: true });
  return {
    node,
    /**
     * @param {string} colormap
     * @param {number} low
     * @param {number} high
     * @param {{ below?: boolean, above?: boolean }} [beyond] whether there are numbers outside
     */
    show(colormap, low, high, { below, above } = {}) {
      const colours = element("span", { class: "rw-why-key-colours", "aria-hidden": "true" });
      colours.style.background = colormapGradient(colormap);
      const format = high >= 0.1 ? formatShort : evenly([high]);
      const start = element("span", { text: `${below ? "≤ " : ""}${format(low)}` });
      const end = element("span", { text: `${above ? "≥ " : ""}${format(high)}` });
      node.replaceChildren(start, colours, end);
      node.hidden = false;
    },
    hide() {
      node.hidden = true;
    },
  };
}

/** The floats of a buffer; a copy, because a Float32Array must start at a multiple of 4. */
export function floatsOf(/** @type {DataView} */ view) {
  return new Float32Array(
    view.buffer.slice(view.byteOffset, view.byteOffset + (view.byteLength & ~3)),
  );
}

/** The largest size of numbers; what is no number counts as 0. */
export function largestOf(/** @type {Float32Array} */ values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0);
}

/**
 * Numbers as a picture: magma, or blue to red around zero.
 * @param {Heat} heat
 * @param {boolean} solid else it is transparent where they are 0
 */
function heatPicture({ values, height, width, signed, limit = largestOf(values) }, solid) {
  const table = colormapTable(signed ? "coolwarm" : "magma");
  const picture = new ImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  values.forEach((value, i) => {
    const share = limit > 0 ? Math.max(-1, Math.min(1, value / limit)) || 0 : 0;
    const color = table[Math.round(signed ? 127.5 + 127.5 * share : 255 * Math.max(0, share))];
    const strength = solid ? 255 : Math.round(255 * Math.min(1, Math.abs(share) * 1.25));
    pixels[i] = ((color & 0xffffff) | (strength << 24)) >>> 0;
  });
  return picture;
}

/**
 * A photo with numbers laid over it.
 * @param {string} label
 */
export function overlay(label) {
  const canvas = element("canvas", { class: "rw-why-overlay", role: "img", "aria-label": label });
  const strength = element("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 45,
    "aria-label": "How strongly the map covers the photo",
  });
  const key = colourKey();
  const blend = element(
    "label",
    { class: "rw-why-blend", hidden: true },
    element("span", { text: "photo" }),
    strength,
    element("span", { text: "map" }),
  );
  const node = element("div", { class: "rw-why-picture" }, canvas, blend, key.node);
  /** @type {ImageBitmap | null} */
  let photo = null;
  /** @type {Heat | null} */
  let heat = null;

  function draw() {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    // Another section may have closed the photo, when it fetched the next one: then its width is 0.
    if (!photo?.width) return context.clearRect(0, 0, canvas.width, canvas.height);
    canvas.width = Math.max(photo.width, 256);
    canvas.height = Math.round((canvas.width * photo.height) / photo.width);
    context.imageSmoothingQuality = "high";
    context.drawImage(photo, 0, 0, canvas.width, canvas.height);
    if (!heat) return;
    const small = new OffscreenCanvas(heat.width, heat.height);
    small.getContext("2d")?.putImageData(heatPicture(heat, false), 0, 0);
    const share = Number(strength.value) / 100;
    // Beyond the middle the photo fades too, until the map stands alone.
    context.globalAlpha = Math.max(0, 2 * share - 1);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalAlpha = Math.min(1, 2 * share);
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
  }
  strength.addEventListener("input", draw);
  return {
    node,
    canvas,
    /** @param {ImageBitmap | null} picture */
    setPhoto(picture) {
      if (photo === picture) return;
      photo = picture;
      draw();
    },
    /** @param {Heat | null} next */
    show(next) {
      heat = next;
      blend.hidden = !heat;
      draw();
      if (!heat) return key.hide();
      const { values, signed, limit = largestOf(values) } = heat;
      const low = signed ? -limit : 0;
      const beyond = { below: values.some((v) => v < low), above: values.some((v) => v > limit) };
      key.show(signed ? "coolwarm" : "magma", low, limit, beyond);
    },
  };
}

/**
 * How to write the numbers of one column: three digits of the largest, and all as many decimals.
 * @param {number[]} values
 * @returns {(value: number) => string}
 */
export function evenly(values) {
  const most = largestOf(Float32Array.from(values));
  if (!(most >= 1e-3 && most < 1e5)) return formatNumber;
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(most)));
  return (value) =>
    Number.isFinite(value) ? value.toFixed(decimals).replaceAll("-", "−") : formatNumber(value);
}

/**
 * Rows with a bar each, to click on.
 * @param {{ name: string, value: number, aside?: string, picture?: Node, title?: string }[]} rows
 * @param {(index: number) => void} pick
 */
export function rankedRows(rows, pick) {
  const most = rows.reduce((top, row) => Math.max(top, Math.abs(row.value)), 0) || 1;
  const format = evenly(rows.map((row) => row.value));
  return rows.map((row, index) => {
    const bar = element("span", { class: "rw-row-bar" });
    bar.style.width = `${(100 * Math.abs(row.value)) / most}%`;
    bar.toggleAttribute("data-negative", row.value < 0);
    const node = element(
      "button",
      {
        type: "button",
        class: "rw-row rw-why-row",
        "aria-pressed": "false",
        "data-key": row.name,
        title: row.title,
      },
      element(
        "span",
        { class: "rw-row-name" },
        ...(row.picture ? [row.picture] : []),
        element("span", { text: row.name }),
        ...(row.aside ? [element("span", { class: "rw-soft", text: row.aside })] : []),
      ),
      element("span", { class: "rw-row-track" }, bar),
      element("span", { text: format(row.value) }),
    );
    node.addEventListener("click", () => pick(index));
    return node;
  });
}

/**
 * A button that starts something slow, shows how far it is, and then cancels it.
 * @param {string} text
 * @param {() => void} start
 * @param {() => void} cancel
 */
export function runButton(text, start, cancel) {
  const button = element("button", { type: "button", text });
  const bar = element("progress", { max: 1, hidden: true, "aria-label": "Progress" });
  const status = element("span", { class: "rw-why-status", role: "status" });
  const node = element("div", { class: "rw-why-run" }, button, bar, status);
  let running = false;
  button.addEventListener("click", () => (running ? cancel() : start()));
  return {
    node,
    isRunning: () => running,
    /** @param {string} name what is written on it while nothing runs */
    rename(name) {
      text = name;
      if (!running) button.textContent = text;
    },
    /** @param {boolean} on @param {string} [note] what is said when it has ended */
    set(on, note = "") {
      running = on;
      button.textContent = on ? "Cancel" : text;
      bar.hidden = !on;
      bar.removeAttribute("value");
      status.textContent = note;
    },
    /** @param {{ share: number | null, text: string }} progress */
    progress({ share, text: said }) {
      if (share === null) bar.removeAttribute("value");
      else bar.value = share;
      status.textContent = said;
    },
    /** @param {string} note */
    say(note) {
      if (!running) status.textContent = note;
    },
  };
}

/**
 * One small picture of numbers: a kernel, or a channel of a frame.
 * @param {Float32Array} values
 * @param {number} height
 * @param {number} width
 * @param {number} limit value of full colour
 */
export function tile(values, height, width, limit) {
  const canvas = element("canvas", { class: "rw-why-tile", "aria-hidden": "true" });
  canvas.width = width;
  canvas.height = height;
  const picture = heatPicture({ values, height, width, signed: true, limit }, true);
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
  return canvas;
}

/** `1 s`, `12 s`, `3 min`, for what something will take. */
export function formatSeconds(/** @type {number} */ seconds) {
  if (seconds < 1) return "1 s";
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** Two decimals, so that a column of them is even; a word for what is no number. */
export function formatLogit(/** @type {number | null} */ logit) {
  if (logit === null || !Number.isFinite(logit)) return formatNumber(logit);
  return logit.toFixed(2).replaceAll("-", "−");
}

/** `4.6` for `conv4_block6`, `stem` for what comes before the blocks; other names stay. */
export function shortBlock(/** @type {string} */ block) {
  if (/^(conv1|pool1)_/.test(block)) return "stem";
  return block.replace(/^conv(\d+)_block(\d+)$/, "$1.$2");
}

/** `34 %`, and one more digit where it would say 0 or 100. */
export function formatChance(/** @type {number | null} */ chance) {
  if (chance === null || !Number.isFinite(chance)) return formatNumber(chance);
  const percent = 100 * chance;
  return `${percent > 0.95 && percent < 99.05 ? Math.round(percent) : percent.toFixed(1)} %`;
}
