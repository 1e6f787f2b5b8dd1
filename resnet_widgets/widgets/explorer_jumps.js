// Links to the parts of the explorer, which is higher than most screens.

import { change, element } from "./shared.js";

/**
 * @param {[name: string, part: HTMLElement][]} parts in the order they stand in
 * @param {AbortSignal} signal
 */
export function explorerJumps(parts, signal) {
  const links = parts.map(([name, part], index) => {
    part.tabIndex = -1;
    part.classList.add("rw-explorer-part");
    const title = `Go to ${name} (${index + 1})`;
    const link = element("button", { type: "button", class: "rw-quiet", text: name, title });
    link.addEventListener("click", () => jump(index), { signal });
    return link;
  });
  const node = element("nav", { class: "rw-jumps", "aria-label": "Parts of the explorer" });
  const here = element("span", { class: "rw-jumps-here" });
  node.append(...links, here);

  /** Scrolls to a part and takes the focus there; false where there is none to go to. */
  function jump(/** @type {number} */ index) {
    const part = parts[index]?.[1];
    if (!part || part.hidden) return false;
    const fold = part.querySelector(":scope > details");
    if (fold) fold.setAttribute("open", "");
    part.scrollIntoView({ block: "start" });
    part.focus({ preventScroll: true });
    return true;
  }

  return {
    node,
    jump,
    /** Which parts there are to go to, and what they show. */
    arrange(/** @type {string} */ shown) {
      change(here, { text: shown, title: shown });
      links.forEach((link, index) => {
        change(link, { disabled: parts[index][1].hidden });
      });
    },
  };
}
