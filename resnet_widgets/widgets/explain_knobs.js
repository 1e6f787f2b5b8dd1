// Prediction and knobs: what the network says, before and after its activations were changed.

import { areSame, factorOf, isSame, toggled, withScale } from "./explain_edits.js";
import {
  formatChance,
  formatLogit,
  lesson,
  oneAtATime,
  photoOf,
  rankedRows,
  runButton,
} from "./explain_parts.js";
import { element, onChange, refill, setTrait, throttle } from "./shared.js";

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
  const { model, signal } = panel;
  const where = element("b");
  const mute = element("button", { type: "button", text: "Mute" });
  const solo = element("button", { type: "button", text: "Solo" });
  const erase = element("button", { type: "button", text: "Erase region" });
  const factor = element("input", { type: "range", min: 0, max: 3, step: 0.1, value: 1 });
  factor.setAttribute("aria-label", "Scale the channel");
  const factorText = element("output", { text: "× 1.0" });
  const list = element("ol", { class: "rw-why-edits" });
  const none = element("p", { class: "rw-soft", text: "Nothing is changed." });
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
  const ranking = element("div", { class: "rw-why-list", role: "group" });
  ranking.setAttribute("aria-label", "Channels that matter most");
  const rankedHow = element("p", { class: "rw-soft" });
  const rank = runButton("Which channels matter most?", rankNow, () => panel.cancel("rank"));
  const node = element(
    "div",
    { class: "rw-why-columns" },
    element("div", {}, table, other.node),
    element(
      "div",
      { class: "rw-why-tall" },
      element("div", { class: "rw-why-where" }, where),
      element(
        "div",
        { class: "rw-why-controls" },
        mute,
        solo,
        erase,
        element("label", { class: "rw-why-factor" }, "scale", factor, factorText),
      ),
      none,
      list,
      reset,
      rank.node,
      rankedHow,
      ranking,
    ),
    lesson(
      "The classes the network thinks most likely, as they were (outline) and as they are now (bar).",
      "Mute a channel: if a class falls, the channel spoke for it. One channel rarely decides; a few together often do.",
      [
        "Δₖ = logit(A with channel k set to 0) − logit(A); only the layers after A run again.",
        "Zeiler and Fergus 2013, Visualizing and Understanding Convolutional Networks",
        "https://arxiv.org/abs/1311.2901",
      ],
    ),
  );

  const edits = () => /** @type {any[]} */ (model.get("edits"));
  const here = () => ({ layer: model.get("layer"), channels: [model.get("channel")] });
  const muted = () => ({ kind: "mute", ...here() });
  const alone = () => ({ kind: "solo", ...here() });
  const erased = () => ({
    kind: "erase",
    layer: model.get("layer"),
    box: model.get("region"),
    channels: [],
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
  const scale = throttle(() => {
    const number = Number(factor.value);
    setTrait(model, "edits", withScale(edits(), model.get("layer"), model.get("channel"), number));
  }, signal);
  factor.addEventListener("input", scale);

  /** Photo and class of the newest ranking, and, once it is there, the ranking with its edits. */
  let rankedAbout = "";
  /** @type {{ label: string, layer: string, rows: [number, number][], edits: any[] } | null} */
  let ranked = null;
  const aboutRank = () => JSON.stringify([photoOf(model), model.get("target")]);

  async function rankNow() {
    const mine = aboutRank();
    rankedAbout = mine;
    rank.set(true);
    const options = { layer: model.get("layer"), target: model.get("target") };
    try {
      const answer = await panel.ask("rank", options, rank.progress);
      if (!answer || mine !== rankedAbout) return;
      rank.set(false);
      ranked = answer.data;
      showRanking(answer.data);
    } catch (error) {
      if (mine === rankedAbout) rank.set(false, /** @type {Error} */ (error).message);
    }
  }

  function showRanking(/** @type {any} */ { layer, rows }) {
    const named = rows.map((/** @type {[number, number]} */ [channel, value]) => ({
      name: `ch ${channel}`,
      value,
    }));
    const picks = rankedRows(named, -1, (index) => {
      setTrait(model, "layer", layer);
      setTrait(model, "channel", rows[index][0]);
    });
    refill(
      ranking,
      picks.map((pick, index) => {
        const [channel] = rows[index];
        const button = element("button", { type: "button", class: "rw-pill", text: "mute" });
        button.setAttribute("aria-label", `mute channel ${channel} of ${layer}`);
        button.addEventListener("click", () =>
          setTrait(model, "edits", toggled(edits(), { kind: "mute", layer, channels: [channel] })),
        );
        return element("div", { class: "rw-why-ranked" }, pick, button);
      }),
    );
    arrangeRank();
  }

  /** What muting does for another photo or class goes; with other edits it stays, and says so. */
  function arrangeRank() {
    if (rankedAbout && rankedAbout !== aboutRank()) {
      if (rank.isRunning()) panel.cancel("rank");
      [rankedAbout, ranked] = ["", null];
      ranking.replaceChildren();
      rank.set(false);
    }
    const isOld = ranked !== null && !areSame(ranked.edits, edits());
    rank.rename(isOld ? "Rank again" : "Which channels matter most?");
    ranking.toggleAttribute("data-old", isOld);
    rankedHow.hidden = ranked === null;
    rankedHow.textContent = "";
    if (ranked === null) return;
    const { layer, label, rows } = ranked;
    rankedHow.textContent = isOld
      ? `Ranked before the edits were changed: what muting each channel of ${layer} did to the logit of ${label}`
      : `What muting each channel of ${layer} does to the logit of ${label}`;
    for (const [index, [channel]] of rows.entries()) {
      const [pick, button] = ranking.children[index].children;
      const isHere = layer === model.get("layer") && channel === model.get("channel");
      const muted = { kind: "mute", layer, channels: [channel] };
      pick.setAttribute("aria-pressed", String(isHere));
      button.setAttribute("aria-pressed", String(edits().some((one) => isSame(one, muted))));
    }
  }

  function arrange() {
    const [layer, channel] = [model.get("layer"), model.get("channel")];
    where.textContent = layer ? `${layer} · channel ${channel}` : "No layer";
    mute.disabled = solo.disabled = !layer;
    erase.disabled = model.get("region").length !== 4;
    erase.title = erase.disabled
      ? "First draw a region on the map: drag, or Shift and arrows"
      : "Set the region drawn on the map to zero, in all channels";
    for (const [button, edit] of knobs) {
      const on = !button.disabled && edits().some((one) => isSame(one, edit()));
      button.setAttribute("aria-pressed", String(on));
    }
    none.hidden = edits().length > 0;
    reset.hidden = edits().length === 0;
    const number = factorOf(edits(), layer, channel);
    factor.value = String(number);
    factorText.textContent = `× ${formatFactor(number)}`;
    // What other edits silence, its own scale does not bring back.
    const isSilenced = factorOf(withScale(edits(), layer, channel, 1), layer, channel) === 0;
    factor.disabled = !layer || isSilenced;
    factor.title = isSilenced ? "Silenced by another edit: undo that first" : "";
    arrangeRank();
  }

  /** @param {string[]} names @param {any[]} named the edits that have these names */
  function showEdits(names, named) {
    const hadFocus = list.contains(document.activeElement);
    refill(
      list,
      names.map((name, index) => {
        const undo = element("button", { type: "button", text: "×", "aria-label": `Undo ${name}` });
        // By what it does, not by its place: a second click comes before the list is drawn again.
        const edit = named[index] ?? {};
        undo.addEventListener("click", () =>
          setTrait(
            model,
            "edits",
            edits().filter((one) => !isSame(one, edit)),
          ),
        );
        return element("li", {}, element("span", { text: name }), undo);
      }),
    );
    if (hadFocus && !names.length) mute.focus();
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

  onChange(model, ["photo", "target", "layer", "channel", "region", "edits"], arrange, signal);
  arrange();
  // A scale that is dragged takes more steps than the kernel can answer for.
  const askScores = oneAtATime(async () => {
    const named = edits();
    const answer = await panel.ask("scores", { target: model.get("target") });
    if (!answer) return;
    showScores(answer.data);
    showEdits(answer.data.names, named);
  });
  return {
    node,
    refresh() {
      arrange();
      return askScores();
    },
  };
}
