// The card of what can be done here, and with which keys.

import { element } from "./shared.js";

/** What the keys do, by where the focus is. @type {[string, [string, string][]][]} */
const KEYS = [
  [
    "Anywhere",
    [
      ["← →", "channel before or after"],
      ["↑ ↓", "layer before or after"],
      ["s", "the strongest channel"],
      ["1 … 6", "to a part: map, all channels …"],
      ["/", "find a layer"],
      ["b", "bookmark this, with a note"],
      ["Ctrl V", "paste a photo"],
      ["?", "this card"],
      ["Esc", "close, clear"],
    ],
  ],
  [
    "Tree of layers",
    [
      ["↑ ↓", "walk"],
      ["→ ←", "open and close; along a row"],
      ["a … z", "to the next name that starts so"],
      ["*", "open all beside this one"],
      ["Enter", "select; of a stage or block its output"],
    ],
  ],
  [
    "Bars of the channels",
    [
      ["← →", "one further, in the order shown"],
      ["Page ↑ ↓", "a tenth further"],
      ["Home End", "first, last"],
    ],
  ],
  [
    "Map and photo",
    [
      ["← ↑ → ↓", "move the warm square, in a map"],
      ["Shift ← ↑ → ↓", "draw a region"],
      ["Enter", "pin this cell of a map, or unpin it"],
      ["Delete", "unpin this cell, else the newest pin"],
      ["Esc", "take the square or the region away"],
    ],
  ],
  [
    "All channels",
    [
      ["← ↑ → ↓", "walk from tile to tile"],
      ["+ − 0", "larger, smaller, as it was"],
      ["Ctrl wheel", "larger, smaller"],
      ["Home End", "first, last"],
    ],
  ],
  [
    "Ends of the colours",
    [
      ["← →", "move this end; Shift: further"],
      ["Delete", "the range as it was"],
    ],
  ],
];

/** What one has to know to begin. */
const START = [
  "Choose a layer in the tree, then a channel: under the map, or among all channels.",
  "Point at the photo or at a map: the warm square is the same place everywhere, and the frame around it is what that cell sees.",
  "Drag a box to find the channels that fire most in it. Green is in the cache.",
  "With a finger or a pen: tap to point, tap the same cell of a map again to pin it; press and hold, then drag, to draw a region; a quick drag scrolls the page.",
];

export function helpCard() {
  const groups = KEYS.map(([where, keys]) =>
    element(
      "section",
      {},
      element("h3", { text: where }),
      element(
        "dl",
        {},
        ...keys.map(([key, what]) =>
          element(
            "div",
            {},
            element("dt", {}, element("kbd", { text: key })),
            element("dd", { text: what }),
          ),
        ),
      ),
    ),
  );
  return element(
    "div",
    { class: "rw-help", role: "dialog", "aria-label": "Help", hidden: true },
    element(
      "div",
      { class: "rw-help-groups", tabindex: 0, role: "group", "aria-label": "What to do, and keys" },
      element("ul", {}, ...START.map((text) => element("li", { text }))),
      // Columns in the box that scrolls would go on to its side, not down.
      element("div", { class: "rw-help-columns" }, ...groups),
    ),
    element("button", { type: "button", text: "Close" }),
  );
}
