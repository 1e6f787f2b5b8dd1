// The tile under the pointer, lifted out of the sheet: larger, and with its name.

import { cellSpans, paintTile } from "./colors.js";
import { channelFacts, channelKinds, KINDS } from "./orders.js";
import { element } from "./shared.js";

/** Pixels between the card and its tile. */
const AIR = 6;
const LEAST_LIFT = 112;
const MOST_LIFT = 260;

/**
 * Upper and lower end, in the window, of what can be seen of an element and is not cut off or
 * scrolled away.
 */
function visibleSpan(/** @type {Element} */ root) {
  let [upper, lower] = [0, innerHeight];
  /** @type {Element | null} */
  let node = root;
  // What a page scrolls by is as high as the window, wherever its own box has gone.
  for (; node && node !== document.body; node = node.parentElement) {
    if (node !== root && getComputedStyle(node).overflowY === "visible") continue;
    const box = node.getBoundingClientRect();
    upper = Math.max(upper, box.top);
    lower = Math.min(lower, box.bottom);
  }
  return [upper, lower];
}

/** Makes the lifted tile; it lies over its parent and lets the pointer through. */
export function tileLift() {
  const canvas = element("canvas", { class: "rw-lift-cells" });
  const name = element("b");
  const facts = element("span");
  const kind = element("span");
  const node = element(
    "div",
    { class: "rw-lift", hidden: true, "aria-hidden": "true" },
    canvas,
    element("div", { class: "rw-tip" }, name, facts, kind),
  );

  return {
    node,
    hide() {
      node.hidden = true;
    },
    /**
     * @param {import("./frame.js").Frame} frame
     * @param {number} channel
     * @param {Uint32Array} colors of the channel's bytes
     * @param {{ left: number, top: number, width: number, height: number }} tile in the parent
     */
    show(frame, channel, colors, tile) {
      const parent = /** @type {HTMLElement} */ (node.parentElement);
      const width = Math.min(
        parent.clientWidth,
        Math.max(LEAST_LIFT, Math.min(MOST_LIFT, 1.6 * tile.width)),
      );
      const ratio = devicePixelRatio;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.max(1, Math.round((canvas.width * frame.height) / frame.width));
      canvas.style.width = `${width}px`;
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      const image = context.createImageData(canvas.width, canvas.height);
      const [columns, rows] = [
        cellSpans(frame.columns, canvas.width),
        cellSpans(frame.rows, canvas.height),
      ];
      const pixels = new Uint32Array(image.data.buffer);
      const plane = frame.plane(channel);
      paintTile(pixels, canvas.width, 0, 0, columns, rows, plane, frame.columns, colors);
      context.putImageData(image, 0, 0);
      name.textContent = `ch ${channel}`;
      facts.textContent = channelFacts(frame, channel);
      const odd = channelKinds(frame)[channel];
      kind.textContent = odd ? KINDS[odd].meaning : "";
      kind.hidden = !odd;
      node.hidden = false;
      const room = parent.clientWidth - node.offsetWidth;
      const middle = tile.left + tile.width / 2 - node.offsetWidth / 2;
      node.style.left = `${Math.max(0, Math.min(room, middle))}px`;
      // Above the tile; under it where there is no room in what can be seen of the widget.
      const [upper, lower] = visibleSpan(node.closest(".rw-explorer, .rw-map") ?? parent);
      const start = parent.getBoundingClientRect().top;
      const { height } = node.getBoundingClientRect();
      const above = tile.top - height - AIR;
      const lowest = lower - start - height;
      const under = Math.min(tile.top + tile.height + AIR, lowest);
      node.style.top = `${above >= upper - start ? above : under}px`;
    },
  };
}
