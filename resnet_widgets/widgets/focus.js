// Where the focus goes when what has it goes: on the page itself no key of ours is heard.

import { focusedIn } from "./refill.js";
import { change } from "./shared.js";

const CONTROLS = "button, input, select, [tabindex='0']";

/**
 * Changes, as `change` does, what may have the focus. If that hides or disables it, the focus goes to
 * a control beside it, else to the explorer around it, else to whatever in the widget takes it.
 * @param {HTMLElement} node
 * @param {{ hidden?: boolean, disabled?: boolean }} attributes
 * @param {ParentNode | null} [next] where to look first
 */
export function changeAndHandOn(node, attributes, next = null) {
  const hadFocus = node.contains(focusedIn(node));
  change(node, attributes);
  if (!hadFocus || !(attributes.hidden || attributes.disabled)) return;
  const explorer = node.closest(".rw-explorer");
  const places = [
    ...(next?.querySelectorAll(CONTROLS) ?? []),
    ...[...(node.parentElement?.children ?? [])].filter((one) => one.matches(CONTROLS)),
    ...(explorer ? [explorer] : (node.closest(".rw")?.querySelectorAll(CONTROLS) ?? [])),
  ];
  for (const place of /** @type {HTMLElement[]} */ (places)) {
    place.focus({ preventScroll: true });
    if (focusedIn(node) === place && !node.contains(place)) return;
  }
}
