// What a notebook gives a widget, in little: models that know each other, a host, and for the
// frame store a kernel that is a table of frames. Everything a test may look at is on `window.stub`.

/** A model whose traits are `state`. `saved` are the batches sent to the kernel, `sent` the messages,
 * `buffers` what came with each of them. */
function makeModel(state, answer) {
  const listeners = new Map();
  const emit = (name, ...args) => {
    for (const listener of [...(listeners.get(name) ?? [])]) listener(...args);
  };
  let pending = {};
  const model = {
    saved: [],
    sent: [],
    buffers: [],
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
      state[name] = pending[name] = value;
      emit(`change:${name}`);
    },
    save_changes() {
      model.saved.push(pending);
      pending = {};
    },
    send(content, _callbacks, buffers = []) {
      model.sent.push(content);
      model.buffers.push(buffers);
      answer(model, content);
    },
    on: (name, listener) => listeners.set(name, [...(listeners.get(name) ?? []), listener]),
    off: (name, listener) =>
      listeners.set(
        name,
        listeners.get(name).filter((other) => other !== listener),
      ),
    listening: () => [...listeners.values()].flat().length,
    /** The kernel sets traits: nothing goes back. */
    update(values) {
      const changed = Object.keys(values).filter(
        (name) => JSON.stringify(state[name]) !== JSON.stringify(values[name]),
      );
      for (const name of changed) state[name] = values[name];
      for (const name of changed) emit(`change:${name}`);
    },
    receive: (content, buffers) => emit("msg:custom", content, buffers),
    emit,
  };
  return model;
}

/**
 * @param {object} options
 * @param {Record<string, { module: string, state: object }>} options.widgets by name; `store` is one
 * @param {Record<string, { shape: number[], reduction: number, data: string, exact: string, planes: string } | { error: string }>}
 *   options.frames by `photo|layer`; `data`, the frame, `exact`, the activation, and `planes`, every
 *   byte of it, in base64
 * @param {string} options.root name of the widget to draw
 * @param {number} options.width of its place in the page
 */
window.startWidgets = async ({ widgets, frames, root, width }) => {
  const stub = { models: {}, exports: {}, keys: [], held: [], holding: false };
  window.stub = stub;

  const reply = (model, { id, photo, layer }) => {
    const found = frames[`${photo}|${layer}`] ?? { error: `no frame of ${layer}` };
    if (found.error) {
      model.receive({ kind: "error", id, photo, layer, message: found.error }, []);
      return;
    }
    const bytes = Uint8Array.from(atob(found.data), (letter) => letter.charCodeAt(0));
    const { shape, reduction, muted } = found;
    const header = { kind: "frame", id, photo, layer, shape, reduction, muted };
    model.receive(header, [new DataView(bytes.buffer)]);
  };
  const replyCell = (model, { id, photo, layer, block }) => {
    const { shape, exact } = frames[`${photo}|${layer}`];
    const bytes = Uint8Array.from(atob(exact), (letter) => letter.charCodeAt(0));
    const values = new Float32Array(bytes.buffer);
    const [left, top, right, bottom] = block;
    const vector = Float32Array.from({ length: shape[2] }, (_, channel) => {
      let sum = 0;
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          sum += values[(row * shape[1] + column) * shape[2] + channel];
        }
      }
      return sum / ((right - left) * (bottom - top));
    });
    model.receive({ kind: "cell", id, photo, layer, block }, [new DataView(vector.buffer)]);
  };
  const replyPlane = (model, { id, photo, layer, channel }) => {
    const { shape, planes } = frames[`${photo}|${layer}`];
    const bytes = Uint8Array.from(atob(planes), (letter) => letter.charCodeAt(0));
    const plane = new DataView(bytes.buffer, channel * shape[0] * shape[1], shape[0] * shape[1]);
    model.receive({ kind: "plane", id, photo, layer, channel }, [plane]);
  };
  const answer = (model, want) => {
    if (!["want", "cells", "planes"].includes(want.kind)) return;
    const now = () => {
      if (want.kind === "want") reply(model, want);
      for (const cell of want.cells ?? []) replyCell(model, cell);
      for (const plane of want.planes ?? []) replyPlane(model, plane);
    };
    if (stub.holding) stub.held.push(now);
    else setTimeout(now);
  };
  stub.release = () => {
    for (const now of stub.held.splice(0)) now();
  };

  const ends = new AbortController();
  const parts = {};
  for (const [name, { module, state }] of Object.entries(widgets)) {
    const model = makeModel({ error: "", ...state }, answer);
    const { default: widget } = await import(`/${module}`);
    parts[`anywidget:${name}`] = { model, widget };
    stub.models[name] = model;
    stub.exports[name] = widget.initialize?.({ model, signal: ends.signal });
  }
  const partOf = (reference) => {
    if (!parts[reference]) throw new Error(`no widget ${reference}`);
    return parts[reference];
  };
  const host = {
    getModel: async (reference) => partOf(reference).model,
    getWidget: async (reference) => {
      const { model, widget } = partOf(reference);
      return {
        exports: stub.exports[reference.slice("anywidget:".length)],
        render: ({ el, signal }) => widget.render?.({ model, el, signal, host }),
      };
    },
  };
  stub.host = host;
  stub.signal = ends.signal;
  stub.end = () => ends.abort();
  // Keys that get out of the widget are keys that would act on the notebook.
  document.addEventListener("keydown", (event) => stub.keys.push(event.key));

  const el = document.createElement("div");
  const place = document.getElementById("place");
  place.style.width = `${width}px`;
  place.append(el);
  await (await host.getWidget(`anywidget:${root}`)).render({ el, signal: ends.signal });
};
