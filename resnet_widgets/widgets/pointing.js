// How a hand points at a picture: a mouse by where it is, a finger or a pen by a tap, because what
// they drag is the page.

/** Whether a pointer is somewhere without touching. */
export function hovers(/** @type {PointerEvent} */ { pointerType, buttons }) {
  return pointerType === "mouse" || (pointerType === "pen" && buttons === 0);
}

/**
 * @param {HTMLElement} node
 * @param {object} on
 * @param {(event: MouseEvent) => void} on.point where the pointer is, or the tap was
 * @param {() => void} on.leave
 * @param {(event: MouseEvent, tapped: boolean) => void} [on.press] a click, or a tap after `point`
 * @param {AbortSignal} signal
 */
export function pointing(node, { point, leave, press }, signal) {
  let tapped = false;
  const follow = (/** @type {PointerEvent} */ event) => hovers(event) && point(event);
  node.addEventListener("pointermove", follow, { signal });
  node.addEventListener(
    "pointerdown",
    (event) => {
      tapped = event.pointerType !== "mouse";
      follow(event);
    },
    { signal },
  );
  node.addEventListener("pointerleave", (event) => hovers(event) && leave(), { signal });
  node.addEventListener(
    "click",
    (event) => {
      if (tapped) point(event);
      press?.(event, tapped);
    },
    { signal },
  );
}
