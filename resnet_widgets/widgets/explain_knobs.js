// Prediction and knobs: what the network says, before and after its activations were changed.

import { channelsField, countOfChannels } from "./explain_channels.js";
import {
  areSame,
  areScaledByOthers,
  factorOf,
  isSame,
  toggled,
  withScale,
} from "./explain_edits.js";
import { aboutOf, formatChance, formatLogit, lesson, photoOf } from "./explain_parts.js";
import { oneAtATime } from "./explain_questions.js";
import { ranking } from "./explain_rank.js";
import { focusedIn, refill } from "./refill.js";
import { change, element, onChange, setTrait, throttle } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

/**
 * A field to pin any class by its name or index; which there are is asked when it is first entered.
 * @param {Panel} panel
 */
function classPicker({ model, ask }) {
  const id = `rw-${Math.random().toString(36).slice(2)}`;
  const field = element("input", { type: "text", list: id, placeholder: "name or index" });
  const choices = element("datalist", { id });
  const note = element("span", { class: "rw-soft", role: "status" });
  const label = element("label", {}, "pin another class", field);
  /** @type {string[]} */
  let labels = [];
  async function fill() {
    if (labels.length) return;
    const answer = await ask("classes").catch(() => null);
    if (!answer) return;
    labels = answer.data.labels;
    choices.replaceChildren(
      ...labels.map((text, i) => element("option", { value: String(i), text, label: text })),
    );
  }
  field.addEventListener("focus", fill);
  field.addEventListener("change", async () => {
    note.textContent = labels.length ? "" : "The classes are not here yet.";
    await fill();
    if (!labels.length) return;
    const text = field.value.trim().toLowerCase();
    const named = labels.findIndex((one) => one.toLowerCase() === text);
    const index = /^\d+$/.test(text) ? Number(text) : named;
    const isThere = index >= 0 && index < labels.length;
    note.textContent = text && !isThere ? "There is no such class." : "";
    if (!isThere) return;
    field.value = "";
    setTrait(model, "target", index);
  });
  return { node: element("div", { class: "rw-why-controls" }, label, choices, note) };
}

/** One decimal, and two where they are needed. */
const formatFactor = (/** @type {number} */ factor) =>
  factor.toFixed(Number.isInteger(Math.round(1e6 * factor) / 1e5) ? 1 : 2).replaceAll("-", "−");

/** @param {Panel} panel */
export function knobsSection(panel) {
  const { model, host, chosen, signal } = panel;
  const where = element("b");
  const besides = element("span", { class: "rw-soft" });
  const field = channelsField(panel);
  const mute = element("button", { type: "button", text: "Mute" });
  const solo = element("button", { type: "button", text: "Solo" });
  const erase = element("button", { type: "button", text: "Erase region" });
  const factor = element("input", { type: "range", min: 0, max: 3, step: 0.1, value: 1 });
  const factorText = element("output", { text: "× 1.0" });
  const controls = element(
    "div",
    { class: "rw-why-controls" },
    mute,
    solo,
    erase,
    element("label", { class: "rw-why-factor" }, "scale", factor, factorText),
  );
  const list = element("ol", { class: "rw-why-edits" });
  const sum = element("p", { class: "rw-soft" });
  const hint = element("p", {
    class: "rw-why-status",
    text: "What is muted, soloed, scaled or erased stands here, to be undone in any order.",
  });
  const reset = element("button", { type: "button", text: "Undo all" });
  const body = element("tbody");
  const table = element(
    "table",
    { class: "rw-why-scores" },
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...["Class", "", "Probability", "Logit", "Explain"].map((text) =>
          text ? element("th", { scope: "col", text }) : element("td"),
        ),
      ),
    ),
    body,
  );
  const other = classPicker(panel);
  const ranked = ranking(panel);
  const node = element(
    "div",
    { class: "rw-why-columns" },
    element("div", {}, table, other.node),
    element(
      "div",
      { class: "rw-why-knobs" },
      element(
        "div",
        { class: "rw-why-turned" },
        element("div", { class: "rw-why-where" }, where, besides),
        field.note,
      ),
      field.node,
      controls,
      element("div", { class: "rw-why-head" }, sum, reset),
      hint,
      list,
    ),
    ranked.node,
    lesson(
      "The classes the network thinks most likely, as they were (outline) and as they are now (bar).",
      "Mute a channel: if a class falls, the channel spoke for it. One channel rarely decides; a few together often do: tick them, or type them.",
      [
        "Δₖ = logit(A with channel k set to 0) − logit(A); only the layers after A run again.",
        "Zeiler and Fergus 2013, Visualizing and Understanding Convolutional Networks",
        "https://arxiv.org/abs/1311.2901",
      ],
    ),
  );

  const edits = () => /** @type {any[]} */ (model.get("edits"));
  /** What the knobs are of: the channels that were chosen, else the one that is looked at. */
  function turned() {
    const now = chosen.get();
    return now?.length ? now : [model.get("channel")];
  }
  /** While the slider is dragged they stay, whatever is looked at. @type {any} */
  let held = null;
  const here = () => held ?? { layer: model.get("layer"), channels: turned() };
  const muted = () => ({ kind: "mute", ...here() });
  const alone = () => ({ kind: "solo", ...here() });
  const erased = () => ({
    kind: "erase",
    layer: model.get("layer"),
    box: model.get("region"),
    channels: chosen.get() ?? [],
  });
  const knobs = /** @type {[HTMLButtonElement, () => any][]} */ ([
    [mute, muted],
    [solo, alone],
    [erase, erased],
  ]);
  for (const [button, edit] of knobs) {
    button.addEventListener("click", () => setTrait(model, "edits", toggled(edits(), edit())));
  }
  reset.addEventListener("click", () => {
    setTrait(model, "edits", []);
    mute.focus();
  });
  factor.addEventListener("pointerdown", ({ button }) => {
    if (button === 0) held = here();
  });
  const letGo = () => {
    if (!held) return;
    held = null;
    arrange();
  };
  for (const end of ["pointerup", "pointercancel"])
    window.addEventListener(end, letGo, { capture: true, signal });
  let scaled = { ...here(), number: 1 };
  const scale = throttle(() => {
    const { layer, channels, number } = scaled;
    setTrait(model, "edits", withScale(edits(), layer, channels, number));
  }, signal);
  factor.addEventListener("input", () => {
    scaled = { ...here(), number: Number(factor.value) };
    scale();
  });

  function arrange() {
    const { layer, channels } = here();
    const count = held ? channels.length : chosen.get()?.length;
    const which =
      count === undefined
        ? "which channels?"
        : count > 1
          ? countOfChannels(count)
          : `channel ${channels[0]}`;
    where.textContent = layer ? `${layer} · ${which}` : "No layer";
    mute.disabled = solo.disabled = !layer || count === undefined;
    // What is written on them stays as wide, or a second tick would move what is below them.
    const many = (/** @type {string} */ verb) => (Number(count) > 1 ? `${verb} ${which}` : null);
    change(mute, { "aria-label": many("Mute"), title: many("Mute") });
    change(solo, { "aria-label": many("Solo"), title: many("Solo") });
    change(factor, { "aria-label": many("Scale") ?? "Scale the channel" });
    const isDrawn = model.get("region").length === 4;
    erase.disabled = !isDrawn || count === undefined;
    change(erase, {
      "aria-label": count ? `Erase region in ${which}` : null,
      title: isDrawn
        ? `Set the region drawn on the map to zero, in ${count ? which : "all channels"}`
        : "First draw a region on the map: drag, or Shift and arrows",
    });
    for (const [button, edit] of knobs) {
      const on = !button.disabled && edits().some((one) => isSame(one, edit()));
      button.setAttribute("aria-pressed", String(on));
    }
    const made = edits().length;
    sum.textContent = made ? `${made} ${made === 1 ? "edit" : "edits"}` : "Nothing is changed.";
    reset.hidden = made === 0;
    hint.hidden = made > 0;
    const number = factorOf(edits(), layer, channels);
    factor.value = String(number);
    factorText.textContent = `× ${formatFactor(number)}`;
    // What other edits silence, its own scale does not bring back.
    const isSilenced = factorOf(withScale(edits(), layer, channels, 1), layer, channels) === 0;
    factor.disabled = mute.disabled || isSilenced;
    const isScaled = areScaledByOthers(edits(), layer, channels);
    const [said, more] = isSilenced
      ? [" · silenced", "Silenced by another edit: undo that first"]
      : isScaled
        ? [" · scaled already", "Beside what another edit scales it with"]
        : ["", ""];
    change(besides, { text: said });
    factor.title = more;
    ranked.arrange();
  }

  /** Their names and they are the kernel's: the page may have others by now. */
  function showEdits(/** @type {{ names: string[], edits: any[] }} */ { names, edits: named }) {
    const hadFocus = list.contains(focusedIn(list));
    const before = list.childElementCount;
    refill(
      list,
      names.map((name, index) => {
        const undo = element("button", { type: "button", text: "×", "aria-label": `Undo ${name}` });
        // By what it does, not by its place: a second click comes before the list is drawn again.
        const edit = named[index];
        undo.addEventListener("click", () =>
          setTrait(
            model,
            "edits",
            edits().filter((one) => !isSame(one, edit)),
          ),
        );
        return element("li", {}, element("span", { text: name }), undo);
      }),
      () => {
        if (hadFocus && !names.length) mute.focus();
        // The newest can be seen, in a room that does not grow.
        if (names.length > before) list.scrollTop = list.scrollHeight;
      },
    );
  }

  function showScores(/** @type {any} */ { rows, best }) {
    const changed = edits().length > 0;
    const target = model.get("target") >= 0 ? model.get("target") : best[1];
    refill(
      body,
      rows.map((/** @type {any} */ row) => {
        const now = element("span", { class: "rw-why-now" });
        now.style.width = `${100 * row.after[0]}%`;
        const then = element("span", { class: "rw-why-then", hidden: !changed });
        then.style.width = `${100 * row.before[0]}%`;
        const text = row.index === model.get("target") ? "pinned" : "pin";
        const pin = element("button", {
          type: "button",
          class: "rw-pill",
          text,
          "data-key": row.index,
          title: "Explain this class",
          "aria-pressed": String(row.index === target),
          "aria-label": `${text} ${row.label}`,
        });
        pin.addEventListener("click", () =>
          setTrait(model, "target", model.get("target") === row.index ? -1 : row.index),
        );
        const pair = (/** @type {string} */ before, /** @type {string} */ after) =>
          changed && before !== after
            ? [
                element("span", { class: "rw-soft", text: `${before} →` }),
                " ",
                element("span", { text: after }),
              ]
            : [after];
        return element(
          "tr",
          {},
          element("th", { scope: "row", text: row.label, title: row.label }),
          element("td", { class: "rw-why-track" }, then, now),
          element("td", {}, ...pair(formatChance(row.before[0]), formatChance(row.after[0]))),
          element("td", {}, ...pair(formatLogit(row.before[1]), formatLogit(row.after[1]))),
          element("td", {}, pin),
        );
      }),
    );
  }

  /** What the answer on show is about; "" while there is none that can be relied on. */
  let answered = "";
  /** What was asked before it was raised is of another photo, or of weights that are gone. */
  let age = 0;
  let photo = photoOf(model);
  onChange(model, ["photo", "target", "layer", "channel", "region", "edits"], arrange, signal);
  onChange(
    model,
    ["photo"],
    () => {
      if (photoOf(model) !== photo) age += 1;
      photo = photoOf(model);
    },
    signal,
  );
  chosen.onChange(arrange);
  arrange();
  // A scale that is dragged takes more steps than the kernel can answer for.
  const askScores = oneAtATime(async () => {
    const about = aboutOf(model, "target");
    if (about === answered) return;
    answered = "";
    const [made, mine] = [edits(), age];
    const answer = await panel.ask("scores", { target: model.get("target") });
    if (!answer) return;
    showScores(answer.data);
    showEdits(answer.data);
    if (mine === age && areSame(made, answer.data.edits)) answered = about;
  });
  // Of new weights all frames are forgotten; the classes are others too.
  const forget = (/** @type {string | null} */ which) => {
    if (which !== null) return;
    age += 1;
    answered = "";
    panel.refresh();
  };
  host.getWidget(model.get("store")).then(
    (/** @type {any} */ { exports }) => signal.aborted || exports.onForget(forget, signal),
    () => {},
  );
  return {
    node,
    refresh() {
      arrange();
      return askScores();
    },
  };
}
