// Under the contact sheet: what the signs on the tiles mean, a switch to leave those out, the zoom.

import { changeAndHandOn } from "./focus.js";
import { KINDS } from "./orders.js";
import { element, setTrait } from "./shared.js";
import { ZOOMS } from "./sheet_layout.js";

/**
 * @param {any} model
 * @param {AbortSignal} signal
 */
export function sheetFoot(model, signal) {
  const list = element("ul", { class: "rw-kinds", "aria-label": "Marked channels" });
  const hide = element("button", { type: "button", class: "rw-small" });
  const smaller = element("button", {
    type: "button",
    class: "rw-small",
    text: "−",
    title: "Smaller tiles (−, or Ctrl and wheel)",
    "aria-label": "Smaller tiles",
  });
  const larger = element("button", {
    type: "button",
    class: "rw-small",
    text: "+",
    title: "Larger tiles (+, or Ctrl and wheel)",
    "aria-label": "Larger tiles",
  });
  const zoom = element("span", { class: "rw-zoom" }, smaller, larger);
  const node = element("div", { class: "rw-sheet-foot" }, list, hide, zoom);
  hide.addEventListener("click", () => setTrait(model, "hide", !model.get("hide")), { signal });

  return {
    node,
    /** @param {(direction: 1 | -1) => void} heard */
    onZoom(heard) {
      smaller.addEventListener("click", () => heard(-1), { signal });
      larger.addEventListener("click", () => heard(1), { signal });
    },
    /** @param {(import("./orders.js").Kind | "")[]} kinds */
    show(kinds) {
      const found = Object.entries(KINDS).map(([name, kind]) => ({
        ...kind,
        count: kinds.filter((one) => one === name).length,
      }));
      list.replaceChildren(
        ...found
          .filter(({ count }) => count)
          .map(({ sign, few, meaning, count }) =>
            element(
              "li",
              { title: meaning },
              element("span", { class: "rw-kind", text: sign, "aria-hidden": "true" }),
              `${count} ${few}`,
            ),
          ),
      );
      const marked = found.reduce((sum, { count }) => sum + count, 0);
      list.hidden = hide.hidden = !marked;
      hide.textContent = model.get("hide") ? `Show ${marked} hidden` : `Hide ${marked}`;
      const now = model.get("zoom");
      changeAndHandOn(smaller, { disabled: now <= ZOOMS.least });
      changeAndHandOn(larger, { disabled: now >= ZOOMS.most });
    },
  };
}
