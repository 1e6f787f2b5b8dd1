// The keys of the explorer that hold wherever the focus is, and its help card.

import { focusedIn } from "./refill.js";
import { onChange, setTrait } from "./shared.js";

/**
 * @param {{ model: any, el: HTMLElement, signal: AbortSignal, models: Record<string, any>,
 *   layout: ReturnType<import("./explorer_layout.js").explorerLayout> }} context
 */
export function explorerKeys({ model, el, signal, models, layout }) {
  const { help, header } = layout;
  /** Where the focus was before the card opened. @type {HTMLElement | null} */
  let before = null;
  function toggleHelp(open = help.hidden) {
    if (open && help.hidden) before = /** @type {HTMLElement} */ (focusedIn(el));
    setTrait(model, "help_open", open);
    if (open) {
      // The card lies at the top of the explorer, which may be out of sight.
      header.node.scrollIntoView({ block: "nearest" });
      const top = /** @type {HTMLElement} */ (help.querySelector(".rw-help-groups"));
      top.scrollTop = 0;
      top.focus({ preventScroll: true });
    } else (before && el.contains(before) ? before : header.help).focus({ preventScroll: true });
  }

  function showHelp() {
    help.hidden = !model.get("help_open");
    header.help.setAttribute("aria-expanded", String(!help.hidden));
  }

  function onKey(/** @type {KeyboardEvent} */ event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && !help.hidden) toggleHelp(false);
    else if (event.key === "Escape" && model.get("region").length) setTrait(model, "region", []);
    else if (target.closest("input:not([type=checkbox]), select, textarea")) return;
    else if (event.key === "?") toggleHelp();
    // In the card keys scroll it.
    else if (help.contains(target)) return;
    else if (event.key >= "1" && event.key <= "9" && event.key.length === 1) {
      if (!layout.jumps.jump(Number(event.key) - 1)) return;
    } else if (event.key === "s") {
      /** @type {HTMLElement | null} */ (
        layout.boxes.slider.querySelector(".rw-strongest:not([hidden])")
      )?.click();
    } else if (event.key === "b") layout.bookmarks.begin();
    else if (event.key === "/") {
      layout.treePart.open = true;
      /** @type {HTMLElement | null} */ (layout.boxes.tree.querySelector("input"))?.focus();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      stepLayer(event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      // The slider knows its order: let it take the key as its own.
      layout.boxes.slider
        .querySelector("[role=slider]")
        ?.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, cancelable: true }));
    } else return;
    event.preventDefault();
  }
  function stepLayer(/** @type {number} */ step) {
    const rows = /** @type {import("./explorer_layout.js").Row[]} */ (models.tree.get("layers"));
    const next = rows.findIndex((row) => row.path === model.get("layer")) + step;
    if (rows[next]) setTrait(model, "layer", rows[next].path);
  }
  el.addEventListener("keydown", onKey, { signal });
  onChange(model, ["help_open"], showHelp, signal);
  showHelp();
  header.help.addEventListener("click", () => toggleHelp(), { signal });
  help.querySelector("button")?.addEventListener("click", () => toggleHelp(false), { signal });
}
