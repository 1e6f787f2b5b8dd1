// A page without a kernel. The widgets are the very ones of the notebook; this is all they need
// around them: models, a host, and answers to what they would ask a kernel.

import { unpack } from "./packed.js";

/**
 * @typedef {{ get: (name: string) => any, set: (name: string, value: unknown) => void,
 *   save_changes: () => void, send: (content: any) => void,
 *   on: (name: string, listener: Listener) => void,
 *   off: (name?: string | null, listener?: Listener | null) => void,
 *   receive: (content: any, buffers?: DataView[]) => void }} Model
 * @typedef {(...args: any[]) => void} Listener
 * @typedef {{ initialize?: (context: any) => any, render?: (context: any) => any }} Widget
 * @typedef {{ shape: number[], step: number, id: string }} Stored what the kernel would say of a frame, and the
 *   id of the element that holds its bytes
 * @typedef {{ root: string, widgets: Record<string, { module: string, state: Record<string, any> }>,
 *   frames: Record<string, Record<string, Stored>>, pictures: Record<string, string>,
 *   labels: Record<string, string[]> }} Page
 */

/**
 * What a widget takes for its model in a notebook.
 * @param {Record<string, any>} state traits
 * @param {(model: Model, content: any) => void} answer told what the widget sends
 * @returns {Model}
 */
export function createModel(state, answer) {
  /** @type {[name: string, listener: Listener][]} */
  let listeners = [];
  const emit = (/** @type {string} */ name, /** @type {any[]} */ ...args) => {
    for (const [of, listener] of [...listeners]) if (of === name) listener(...args);
  };
  /** @type {Model} */
  const model = {
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
      state[name] = value;
      emit(`change:${name}`);
    },
    save_changes() {},
    send: (content) => answer(model, content),
    on: (name, listener) => {
      listeners.push([name, listener]);
    },
    off: (name, listener) => {
      listeners = listeners.filter(
        ([of, heard]) => (name && of !== name) || (listener && heard !== listener),
      );
    },
    receive: (content, buffers = []) => emit("msg:custom", content, buffers),
  };
  return model;
}

/**
 * Brings the widgets of a page to life, and draws its root.
 * @param {Page} page
 * @param {Record<string, Widget>} modules widget by file name
 * @param {HTMLElement} el where to draw
 * @param {(id: string) => string} textOf text of an element
 */
export async function start(page, modules, el, textOf) {
  const { signal } = new AbortController();
  const prefix = "anywidget:";
  /** @type {Map<string, { model: Model, widget: Widget, exports?: Promise<any> }>} */
  const parts = new Map();
  /** @param {string} reference @param {{ module: string, state: Record<string, any> }} stored */
  function add(reference, { module, state }) {
    parts.set(reference, { model: createModel(state, answer), widget: modules[module] });
  }
  for (const [id, stored] of Object.entries(page.widgets)) add(prefix + id, stored);
  const partOf = (/** @type {string} */ reference) => {
    const part = parts.get(reference);
    if (!part) throw new Error(`There is no widget ${reference} in this page.`);
    return part;
  };
  const root = partOf(prefix + page.root);
  const host = {
    getModel: async (/** @type {string} */ reference) => partOf(reference).model,
    /** Only a page without a kernel has this: what is in it. */
    saved: {
      has: (/** @type {string} */ layer) =>
        Object.values(page.frames).every((layers) => Object.hasOwn(layers, layer)),
    },
    getWidget: async (/** @type {string} */ reference) => {
      const part = partOf(reference);
      const { model, widget } = part;
      part.exports ??= (async () => widget.initialize?.({ model, signal, host }))();
      return {
        exports: await part.exports,
        render: (/** @type {any} */ { el: place, signal: until = signal }) =>
          widget.render?.({ model, el: place, signal: until, host }),
      };
    },
  };

  /** What the kernel would do about a message. */
  function answer(/** @type {Model} */ model, /** @type {any} */ content) {
    if (content.kind === "want") give(model, content);
    else if (content.kind === "ping") queueMicrotask(() => model.receive({ kind: "pong" }));
    else if (content.kind === "picture") {
      const { photo } = content;
      if (!Object.hasOwn(page.pictures, photo)) return;
      unpack(textOf(page.pictures[photo])).then((bytes) =>
        model.receive({ kind: "picture", photo }, [bytes]),
      );
    } else {
      if (model.get("busy")) model.set("busy", false);
      root.model.set("error", "This is a saved page: that needs the notebook it came from.");
    }
  }

  async function give(/** @type {Model} */ model, /** @type {any} */ want) {
    const { id, photo, layer } = want;
    const ofPhoto = Object.hasOwn(page.frames, photo) ? page.frames[photo] : {};
    /** @type {Stored | undefined} */
    const found = Object.hasOwn(ofPhoto, layer) ? ofPhoto[layer] : undefined;
    try {
      if (!found) {
        // Later, as any answer.
        await null;
        throw new Error(
          `${layer} is not in this page. It has the layers with a green dot in the tree; ` +
            "the notebook it came from has all.",
        );
      }
      const bytes = await unpack(textOf(found.id));
      model.receive({ ...found, kind: "frame", id, photo, layer }, [bytes]);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      model.receive({ kind: "error", id, photo, layer, message });
    }
  }

  // The kernel names the units of a layer when it is chosen.
  root.model.on("change:layer", () => {
    const layer = root.model.get("layer");
    const labels = Object.hasOwn(page.labels, layer) ? page.labels[layer] : [];
    parts.get(root.model.get("map"))?.model.set("labels", labels);
    root.model.set("error", "");
  });

  // For each column of stages the kernel makes a map and a slider: here, copies of the first ones.
  for (const [reference, { model }] of [...parts]) {
    if (!Array.isArray(model.get("sliders"))) continue;
    const first = (/** @type {string} */ many, /** @type {string} */ one) =>
      page.widgets[(model.get(many)[0] ?? root.model.get(one)).slice(prefix.length)];
    /** @type {[string, Page["widgets"][string]][]} */
    const kinds = [
      ["maps", first("maps", "map")],
      ["sliders", first("sliders", "slider")],
    ];
    model.on("change:layers", () => {
      const count = model.get("layers").length;
      for (const [name, stored] of kinds) {
        const columns = model.get(name).slice(0, count);
        while (columns.length < count) {
          // One for each place, to be used again: nothing else lets a copy go.
          const copy = `${reference}-${name}-${columns.length}`;
          if (!parts.has(copy)) add(copy, structuredClone(stored));
          columns.push(copy);
        }
        model.set(name, columns);
      }
    });
  }

  await Promise.all([...parts.keys()].map(host.getWidget));
  await root.widget.render?.({ model: root.model, el, signal, host });
}
