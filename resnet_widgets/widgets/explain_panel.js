// Why? A panel of sections, each drawn when it is first opened, fed by one kind of question.

import { camSection } from "./explain_cam.js";
import { channelSection } from "./explain_channel.js";
import { chosenChannels } from "./explain_channels.js";
import { dreamSection } from "./explain_dream.js";
import { knobsSection } from "./explain_knobs.js";
import { photoOf } from "./explain_parts.js";
import { pixelsSection } from "./explain_pixels.js";
import { questions } from "./explain_questions.js";
import { readingSection } from "./explain_reading.js";
import { residualSection } from "./explain_residual.js";
import { handWins } from "./saving.js";
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
      const name = nameOf();
      try {
        await section().refresh();
        if (name === nameOf()) trouble.hidden = true;
      } catch (error) {
        // Of a section that was left it would stand over another.
        if (name !== nameOf()) return;
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
    if (content.firstElementChild !== node) {
      content.replaceChildren(node);
      trouble.hidden = true;
    }
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
