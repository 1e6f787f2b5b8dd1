// The channels of a layer whose muting moves the answer most, to be looked at, muted and ticked.

import { tickRow } from "./explain_channels.js";
import { areSame, factorOf, isSame, toggled } from "./explain_edits.js";
import { photoOf, rankedRows, runButton } from "./explain_parts.js";
import { refill } from "./refill.js";
import { change, element, setTrait } from "./shared.js";

/** @typedef {import("./explain_parts.js").Panel} Panel */

const OLD = "Ranked before the edits were changed";

/** @param {Panel} panel */
export function ranking(panel) {
  const { model } = panel;
  const rank = runButton("Which channels matter most?", rankNow, () => panel.cancel("rank"));
  const how = element("p", { class: "rw-soft" });
  const list = element("div", { class: "rw-why-list", role: "group" });
  list.setAttribute("aria-label", "Channels that matter most");
  const node = element("div", { class: "rw-why-wide" }, rank.node, how, list);
  const edits = () => /** @type {any[]} */ (model.get("edits"));

  /** Photo and class of the newest ranking, and, once it is there, the ranking with its edits. */
  let rankedAbout = "";
  /** What stands beside the button while nothing is ranked. */
  let said = "";
  /** @type {{ label: string, layer: string, rows: [number, number][], edits: any[] } | null} */
  let ranked = null;
  /** @type {{ pick: HTMLElement, button: HTMLElement, mark: () => void, node: HTMLElement }[]} */
  let shown = [];
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
      said = "";
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
    const picks = rankedRows(named, (index) => {
      setTrait(model, "layer", layer);
      setTrait(model, "channel", rows[index][0]);
    });
    shown = picks.map((pick, index) => {
      const [channel] = rows[index];
      const button = element("button", { type: "button", class: "rw-pill", text: "mute" });
      button.setAttribute("aria-label", `mute channel ${channel} of ${layer}`);
      button.addEventListener("click", () =>
        setTrait(model, "edits", toggled(edits(), { kind: "mute", layer, channels: [channel] })),
      );
      return { ...tickRow(panel, layer, channel, pick, button), pick, button };
    });
    refill(
      list,
      shown.map((row) => row.node),
    );
    arrange();
  }

  /** What muting does for another photo or class goes; with other edits it stays, and says so. */
  function arrange() {
    if (rankedAbout && rankedAbout !== aboutRank()) {
      if (rank.isRunning()) panel.cancel("rank");
      [rankedAbout, ranked] = ["", null];
      refill(list, []);
      rank.set(false);
      said = "";
    }
    const isOld = ranked !== null && !areSame(ranked.edits, edits());
    rank.rename(isOld ? "Rank again" : "Which channels matter most?");
    // Beside the button: one more line would move the list away from under the hand.
    const note = isOld ? OLD : "";
    if (note !== said && !rank.isRunning()) {
      said = note;
      rank.say(note);
    }
    list.toggleAttribute("data-old", isOld);
    how.hidden = ranked === null;
    how.textContent = "";
    if (ranked === null) return;
    const { layer, label, rows } = ranked;
    how.textContent = `What muting each channel of ${layer} does to the logit of ${label}`;
    for (const [index, [channel]] of rows.entries()) {
      const { pick, button, mark } = shown[index];
      const isHere = layer === model.get("layer") && channel === model.get("channel");
      const muted = { kind: "mute", layer, channels: [channel] };
      const isMuted = edits().some((one) => isSame(one, muted));
      const isSilenced = !isMuted && factorOf(edits(), layer, [channel]) === 0;
      change(pick, { "aria-pressed": String(isHere) });
      change(button, {
        "aria-pressed": String(isMuted),
        disabled: isSilenced,
        title: isSilenced ? "Silenced by another edit: undo that first" : null,
      });
      mark();
    }
  }

  return { node, arrange };
}
