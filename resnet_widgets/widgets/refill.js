// Lists that are drawn anew, maybe under a hand: what is pressed stays until it is let go, and the
// focus where it was.

/**
 * What lists are to have once nothing in them is pressed, and what is to be done then.
 * @type {WeakMap<HTMLElement, [(Node | string)[], () => void]>}
 */
const waiting = new WeakMap();

/**
 * Gives a node other children. While something in it is pressed it keeps those it has, for a button
 * that is replaced before it is let go is never clicked; of what comes meanwhile the last counts.
 * @param {HTMLElement} node
 * @param {(Node | string)[]} children
 * @param {() => void} [then] called when it has them
 */
export function refill(node, children, then = () => {}) {
  // Of a key that is down only the button itself is active, not what it is in.
  const isPressed = () => node.querySelector(":active") !== null;
  const isWaiting = waiting.has(node);
  if (!isWaiting && !isPressed()) {
    exchange(node, children);
    then();
    return;
  }
  waiting.set(node, [children, then]);
  if (isWaiting) return;
  const look = () => {
    if (isPressed()) {
      requestAnimationFrame(look);
      return;
    }
    const [newest, last] = waiting.get(node) ?? [[], then];
    waiting.delete(node);
    exchange(node, newest);
    last();
  };
  requestAnimationFrame(look);
}

/** The element that has the focus, also in a part of a page that hides what is in it. */
export function focusedIn(/** @type {Node} */ node) {
  return /** @type {Document | ShadowRoot} */ (node.getRootNode()).activeElement;
}

/**
 * If a button or box had the focus, the one of the same `data-key` or label gets it, else the one in
 * its place.
 * @param {HTMLElement} node
 * @param {(Node | string)[]} children
 */
function exchange(node, children) {
  const controls = () => [
    .../** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll("button, input")),
  ];
  const keyOf = (/** @type {HTMLElement} */ control) =>
    control.dataset.key ?? control.getAttribute("aria-label");
  const before = controls();
  const place = before.indexOf(/** @type {any} */ (focusedIn(node)));
  const key = place < 0 ? null : keyOf(before[place]);
  node.replaceChildren(...children);
  if (place < 0) return;
  const now = controls();
  const same = key === null ? undefined : now.find((control) => keyOf(control) === key);
  (same ?? now[Math.min(place, now.length - 1)])?.focus({ preventScroll: true });
}
