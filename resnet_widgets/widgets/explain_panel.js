// Why? A panel of sections, each drawn when it is first opened, fed by one kind of question.

import { camSection } from "./explain_cam.js";
import { channelSection } from "./explain_channel.js";
import { chosenChannels } from "./explain_channels.js";
import { dreamSection } from "./explain_dream.js";
import { areSame } from "./explain_edits.js";
import { knobsSection } from "./explain_knobs.js";
import { photoOf } from "./explain_parts.js";
import { pixelsSection } from "./explain_pixels.js";
import { readingSection } from "./explain_reading.js";
import { residualSection } from "./explain_residual.js";
import { handWins, saveNow } from "./saving.js";
import { becomeRoot, element, errorLine, onChange, setTrait } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

/** @type {[name: string, title: string, make: (panel: Panel) => any][]} */
const SECTIONS = [
  ["knobs", "Prediction & knobs", knobsSection],
  ["cam", "CAM", camSection],
  ["pixels", "Pixels", pixelsSection],
  ["residual", "Residual", residualSection],
  ["channel", "This channel", channelSection],
  ["reading", "Reading early", readingSection],
  ["dream", "Dream", dreamSection],
];

/** How often a question is asked before an answer for other edits is taken as it is. */
const TRIES = 3;

/**
 * Questions to the kernel; of each kind only the newest is answered.
 * @param {any} model
 * @param {AbortSignal} signal
 * @returns {Pick<Panel, "ask" | "cancel">}
 */
export function questions(model, signal) {
  /**
   * @type {Map<string, { id: number, edits: any[], tries: number, send: () => void,
   *   resolve: Function, reject: Function, onProgress?: Function }>}
   */
  const open = new Map();
  // Another page, or this one before a reload, may have questions open at the same kernel.
  let last = Math.floor(Math.random() * 2 ** 40);
  /**
   * While a notebook waits for the kernel to take one change it holds the next one back, so a
   * question can be answered for older edits. Where there are others by now it is not asked again.
   * @param {{ edits: any[] }} question @param {any[]} [answered] the edits that the answer is for
   */
  function isOvertaken(question, answered) {
    const edits = model.get("edits");
    return answered && areSame(edits, question.edits) && !areSame(edits, answered);
  }
  function receive(/** @type {any} */ message, /** @type {DataView[]} */ buffers) {
    const question = open.get(message.what);
    if (!question || question.id !== message.id) return;
    if (message.kind === "progress") {
      question.onProgress?.({ share: message.share, text: message.text, buffers });
      return;
    }
    const isAnswer = message.kind === "answer";
    if (isAnswer && question.tries < TRIES && isOvertaken(question, message.data.edits)) {
      question.tries += 1;
      question.send();
      return;
    }
    open.delete(message.what);
    if (isAnswer) question.resolve({ data: message.data, buffers });
    else question.reject(new Error(message.message));
  }
  model.on("msg:custom", receive);
  signal.addEventListener("abort", () => model.off("msg:custom", receive));
  return {
    ask(what, options = {}, onProgress) {
      open.get(what)?.resolve(null);
      return new Promise((resolve, reject) => {
        const id = ++last;
        const send = () => model.send({ kind: "ask", id, what, options });
        const about = { edits: model.get("edits"), tries: 1, send };
        open.set(what, { id, ...about, resolve, reject, onProgress });
        saveNow();
        send();
      });
    },
    cancel: (what) => model.send({ kind: "cancel", what }),
  };
}

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal, host: any }} context */
async function renderPanel({ model, el, signal, host }) {
  becomeRoot(el, signal);
  el.classList.add("rw-why");
  if (host.saved) {
    const title = element("div", { class: "rw-title" }, element("span", { text: "Why?" }));
    const text = "Knobs, CAMs and the rest of “Why?” need the notebook this page came from.";
    el.append(title, element("div", { class: "rw-empty", text }));
    return;
  }
  handWins(model, ["target", "edits", "opened", "section"], signal);
  const { ask, cancel } = questions(model, signal);
  const tabs = element("div", { class: "rw-why-tabs", role: "tablist", "aria-label": "Why?" });
  const content = element("div", { class: "rw-why-content", role: "tabpanel", tabindex: -1 });
  const trouble = element("p", { class: "rw-why-trouble", role: "alert", hidden: true });
  const summary = element(
    "summary",
    {},
    element("b", { text: "Why?" }),
    element("span", { text: "turn knobs, see what the answer is made of" }),
  );
  const fold = element("details", {}, summary, tabs, errorLine(model, signal), trouble, content);
  el.append(fold);

  /** @type {{ of: string, bitmap: Promise<ImageBitmap | null> } | null} of the photo shown only */
  let newest = null;
  function letGo() {
    newest?.bitmap.then(
      (bitmap) => bitmap?.close(),
      () => {},
    );
    newest = null;
  }
  async function fetchPicture() {
    const answer = await ask("photo");
    if (!answer) return null;
    return createImageBitmap(new Blob([/** @type {any} */ (answer.buffers[0])]));
  }
  /** @type {Panel} */
  const panel = {
    model,
    host,
    signal,
    ask,
    cancel,
    chosen: chosenChannels(model, signal),
    open: (name) => openSection(SECTIONS.findIndex(([known]) => known === name)),
    refresh: () => refresh(),
    /** Asked for once, however many sections want it. */
    picture() {
      const of = photoOf(model);
      if (newest !== null && newest.of === of) return newest.bitmap;
      letGo();
      const mine = { of, bitmap: fetchPicture() };
      newest = mine;
      mine.bitmap.catch(() => {
        if (newest === mine) newest = null;
      });
      return mine.bitmap;
    },
  };
  /** @type {Map<string, any>} */
  const made = new Map();
  const buttons = SECTIONS.map(([name, title]) => {
    const id = `rw-${Math.random().toString(36).slice(2)}`;
    const button = element("button", { type: "button", role: "tab", id, text: title });
    button.addEventListener("click", () => setTrait(model, "section", name), { signal });
    return button;
  });
  tabs.append(...buttons);

  /** Also where the focus goes: what had it may be gone. */
  function openSection(/** @type {number} */ index) {
    setTrait(model, "section", SECTIONS[index][0]);
    buttons[index].focus();
  }

  const nameOf = () =>
    SECTIONS.some(([name]) => name === model.get("section")) ? model.get("section") : "knobs";

  function section() {
    const name = nameOf();
    if (!made.has(name)) {
      const make = SECTIONS.find(([known]) => known === name)?.[2];
      made.set(name, make?.(panel));
    }
    return made.get(name);
  }

  let queued = false;
  function refresh() {
    if (queued) return;
    queued = true;
    // Photo, layer and channel often change together.
    queueMicrotask(async () => {
      queued = false;
      if (signal.aborted || !model.get("opened") || !model.get("photo")) return;
      try {
        await section().refresh();
        trouble.hidden = true;
      } catch (error) {
        trouble.textContent = /** @type {Error} */ (error).message;
        trouble.hidden = false;
      }
    });
  }

  function arrange() {
    el.hidden = !model.get("live");
    fold.open = model.get("opened");
    for (const [i, [name]] of SECTIONS.entries()) {
      const chosen = name === nameOf();
      buttons[i].setAttribute("aria-selected", String(chosen));
      buttons[i].tabIndex = chosen ? 0 : -1;
      if (chosen) content.setAttribute("aria-labelledby", buttons[i].id);
    }
    if (!fold.open) return;
    const { node } = section();
    if (content.firstElementChild !== node) content.replaceChildren(node);
    refresh();
  }

  tabs.addEventListener(
    "keydown",
    (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const at = SECTIONS.findIndex(([name]) => name === nameOf()) + step;
      openSection((at + SECTIONS.length) % SECTIONS.length);
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  fold.addEventListener("toggle", () => setTrait(model, "opened", fold.open), { signal });
  onChange(model, ["opened", "section", "live"], arrange, signal);
  onChange(
    model,
    ["photo", "layer", "channel", "target", "maps", "edits", "labelled"],
    refresh,
    signal,
  );
  const followCursor = () => section().follows?.includes("cursor") && refresh();
  onChange(model, ["cursor"], () => model.get("opened") && followCursor(), signal);
  signal.addEventListener("abort", letGo);
  arrange();
}

export default { render: renderPanel };
