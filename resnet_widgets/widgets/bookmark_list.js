// What was on show, kept with a note: add, go back, delete.

import { RANGE_TRAITS } from "./ranges.js";
import { saveNow, setTraits } from "./saving.js";
import { change, element, onChange, setTrait } from "./shared.js";

/**
 * @typedef {{ photo: string, digest: string, compare?: string, compare_digest?: string,
 *   layer: string, channel: number, region: number[], note: string,
 *   colours: Record<string, any>, edits?: any[] }} Bookmark as `check_bookmark` in `bookmarks.py`
 */

/** Traits of an ActivationMap that say what its colours mean. */
export const COLOUR_TRAITS = [...RANGE_TRAITS, "colormap"];

/** Most bookmarks, as in `bookmarks.py`. */
const MOST = 200;

/**
 * What is on show now.
 * @param {any} model the explorer's
 * @param {any} map the model of its ActivationMap
 * @param {any} why the model of its ExplainPanel, which has the edits
 * @param {string} note
 * @returns {Bookmark}
 */
export function bookmarkOf(model, map, why, note) {
  return {
    photo: model.get("picture").name ?? "",
    digest: model.get("photo"),
    compare: model.get("compare_picture").name ?? "",
    compare_digest: model.get("compare_photo"),
    layer: model.get("layer"),
    channel: model.get("channel"),
    region: model.get("region"),
    note,
    colours: Object.fromEntries(COLOUR_TRAITS.map((name) => [name, map.get(name)])),
    edits: why.get("edits"),
  };
}

/**
 * @param {object} options
 * @param {any} options.model the explorer's
 * @param {any} options.map the model of its ActivationMap
 * @param {any} options.why the model of its ExplainPanel
 * @param {any} options.host
 * @param {() => void} options.onReplay called when a bookmark was gone back to
 * @param {AbortSignal} options.signal
 */
export function bookmarkList({ model, map, why, host, onReplay, signal }) {
  const input = element("input", {
    type: "text",
    class: "rw-bookmark-note",
    maxlength: 2000,
    placeholder: "What do you see here?",
    "aria-label": "Note for a bookmark",
  });
  const add = element("button", { type: "submit", text: "☆ Bookmark" });
  const form = element("form", { class: "rw-bookmark-form" }, input, add);
  const status = element("div", { class: "rw-bookmark-status", role: "status" });
  const list = element("ol", { class: "rw-bookmark-list" });
  const node = element(
    "section",
    { class: "rw-bookmarks", "aria-label": "Bookmarks" },
    element("div", { class: "rw-title" }, element("span", { text: "Bookmarks" }), element("span")),
    form,
    status,
    list,
  );

  const marks = () => /** @type {Bookmark[]} */ (model.get("bookmarks"));

  function show() {
    add.disabled = marks().length >= MOST;
    add.title = add.disabled
      ? `There is room for ${MOST}: delete one first.`
      : "Keeps both photos, edits, layer, channel, colours and region";
    list.hidden = marks().length === 0;
    list.replaceChildren(...marks().map(row));
    mark();
  }

  function row(/** @type {Bookmark} */ entry, /** @type {number} */ index) {
    const place = `${entry.layer} · ch ${entry.channel}`;
    const note = element("span", { text: entry.note || place });
    const count = entry.edits?.length ?? 0;
    const edited = count ? `${count} ${count === 1 ? "edit" : "edits"}` : "";
    const region = entry.region.length ? "region" : "";
    const second = entry.compare ? `with ${entry.compare}` : "";
    const facts = [entry.photo, second, entry.note ? place : "", region, edited];
    const go = element(
      "button",
      { type: "button", class: "rw-bookmark-go", title: "Go back to this" },
      note,
      element("span", { text: facts.filter(Boolean).join(" · ") }),
    );
    const remove = element("button", {
      type: "button",
      class: "rw-quiet",
      text: "×",
      title: "Delete this bookmark",
      "aria-label": `Delete bookmark ${index + 1}`,
    });
    go.addEventListener("click", () => replay(entry), { signal });
    remove.addEventListener("click", () => drop(index), { signal });
    return element("li", {}, go, remove);
  }

  /** Marks what is on show; what was said of an older view goes. */
  function mark() {
    change(status, { text: "" });
    const shown = bookmarkOf(model, map, why, "");
    const now = JSON.stringify(shown);
    for (const [index, entry] of marks().entries()) {
      const button = list.children[index]?.querySelector("button");
      // What it does not name may be anything.
      const named = Object.entries(entry).filter(([, value]) => value !== "");
      const same = JSON.stringify({ ...shown, ...Object.fromEntries(named), note: "" }) === now;
      if (button) change(button, { "aria-pressed": String(same) });
    }
  }

  function drop(/** @type {number} */ index) {
    setTrait(
      model,
      "bookmarks",
      marks().filter((_, i) => i !== index),
    );
    const rows = [...list.querySelectorAll("li")];
    const next = rows[Math.min(index, rows.length - 1)]?.querySelector("button");
    (next ?? input).focus();
  }

  /** What the page can do by itself at once; the photo is the kernel's to find. */
  function replay(/** @type {Bookmark} */ entry) {
    for (const name of COLOUR_TRAITS) {
      if (name in entry.colours) setTrait(map, name, entry.colours[name]);
    }
    setTraits(model, { layer: entry.layer, channel: entry.channel, region: entry.region });
    // Bookmarks of older files have no edits; the kernel knows those of a photo shown lately. In a
    // saved page all stays as it was computed.
    if (!host.saved && (entry.edits?.length || !entry.digest.includes(" "))) {
      setTrait(why, "edits", entry.edits ?? []);
    }
    // Before the photos: the kernel looks at them with these edits.
    saveNow();
    if (entry.digest && entry.digest !== model.get("photo")) {
      model.send({ kind: "show", photo: entry.digest, name: entry.photo });
    }
    if (entry.compare_digest && entry.compare_digest !== model.get("compare_photo")) {
      const second = { photo: entry.compare_digest, name: entry.compare };
      model.send({ kind: "show", ...second, second: true });
    }
    onReplay();
  }

  form.addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      if (!model.get("layer")) return;
      setTrait(model, "bookmarks", [...marks(), bookmarkOf(model, map, why, input.value.trim())]);
      input.value = "";
      change(status, { text: `Kept as bookmark ${marks().length}.` });
    },
    { signal },
  );
  input.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      /** @type {HTMLElement | null} */ (node.closest(".rw-explorer"))?.focus();
    },
    { signal },
  );
  input.addEventListener("input", () => change(status, { text: "" }), { signal });
  onChange(model, ["bookmarks"], show, signal);
  onChange(model, ["photo", "compare_photo", "layer", "channel", "region"], mark, signal);
  onChange(map, COLOUR_TRAITS, mark, signal);
  onChange(why, ["edits"], mark, signal);
  show();

  return {
    node,
    /** Takes the hand to the note. */
    begin() {
      node.scrollIntoView({ block: "nearest" });
      input.focus();
    },
  };
}
