import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import {
  followFrame,
  formatNumber,
  formatShape,
  formatShare,
  formatShort,
  onChange,
  oncePerFrame,
  setTrait,
  throttle,
} from "../../resnet_widgets/widgets/shared.js";

/** A model that counts what it tells the kernel. */
function makeModel(state) {
  const listeners = new Map();
  return {
    saves: 0,
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      for (const listener of listeners.get(`change:${name}`) ?? []) listener();
    },
    save_changes() {
      this.saves++;
    },
    on: (name, heard) => listeners.set(name, [...(listeners.get(name) ?? []), heard]),
    off: (name, heard) =>
      listeners.set(
        name,
        listeners.get(name).filter((other) => other !== heard),
      ),
  };
}

/** Animation frames come when the test says so. */
let frames = [];
globalThis.requestAnimationFrame = (run) => frames.push(run);
globalThis.cancelAnimationFrame = (handle) => {
  frames[handle - 1] = () => {};
};
const nextFrame = () => {
  for (const run of frames.splice(0)) run();
};
afterEach(() => {
  frames = [];
});

test("a trait that stays equal tells the kernel nothing", async () => {
  const model = makeModel({ cursor: [0, 1] });
  setTrait(model, "cursor", [0, 1]);
  assert.equal(model.saves, 0);
  setTrait(model, "cursor", [0, 2]);
  await Promise.resolve();
  assert.equal(model.saves, 1);
});

test("painting happens once a frame", () => {
  let runs = 0;
  const end = new AbortController();
  const paint = oncePerFrame(() => runs++, end.signal);
  paint();
  paint();
  assert.equal(runs, 0);
  nextFrame();
  assert.equal(runs, 1);
  paint();
  end.abort();
  nextFrame();
  assert.equal(runs, 1);
});

test("a view that is gone paints no more", () => {
  let runs = 0;
  const paint = oncePerFrame(() => runs++, AbortSignal.abort());
  paint();
  nextFrame();
  assert.equal(runs, 0);
});

test("following a pointer starts at once, then once a frame, and ends where it ends", () => {
  const seen = [];
  let position = 0;
  const end = new AbortController();
  const follow = throttle(() => seen.push(position), end.signal);
  for (position = 1; position < 4; position++) follow();
  position = 3;
  assert.deepEqual(seen, [1]);
  nextFrame();
  assert.deepEqual(seen, [1, 3]);
  nextFrame();
  assert.deepEqual(seen, [1, 3]);
  position = 9;
  follow();
  assert.deepEqual(seen, [1, 3, 9]);
});

test("numbers as people write them", () => {
  assert.deepEqual([0.84131, 12.3, -0.5, 0].map(formatNumber), ["0.8413", "12.3", "−0.5", "0"]);
  assert.deepEqual([NaN, Infinity, -Infinity].map(formatNumber), ["NaN", "∞", "−∞"]);
  assert.deepEqual([1.2e-7, 123456].map(formatNumber), ["1.20e−7", "1.23e+5"]);
  assert.deepEqual([8.771, 0, -0.314, 4e-5, 5000].map(formatShort), [
    "8.77",
    "0.00",
    "−0.31",
    "4.00e−5",
    "5000",
  ]);
  assert.equal(formatShort(NaN), "NaN");
  assert.equal(formatShape([28, -1, 512]), "28 × ? × 512");
});

test("a share is never rounded to none or all", () => {
  assert.deepEqual([0, 0.001, 0.13, 0.999, 1].map(formatShare), [
    "0 %",
    "< 1 %",
    "13 %",
    "> 99 %",
    "100 %",
  ]);
});

/** A store whose reads the test settles; `reads` are `[photo, layer, resolve, reject]`. */
function setUpFollow(state) {
  const reads = [];
  const shown = [];
  let forget = () => {};
  const store = {
    peek: () => null,
    reader: () => ({
      read: (photo, layer) =>
        new Promise((resolve, reject) => reads.push([photo, layer, resolve, reject])),
    }),
    onForget: (heard) => {
      forget = heard;
    },
  };
  const end = new AbortController();
  const model = makeModel({ store: "anywidget:s", photo: "p", layer: "a", ...state });
  const host = { getWidget: async () => ({ exports: store }) };
  const started = followFrame({ model, host, signal: end.signal }, (now) => shown.push(now));
  return { model, store, reads, shown, end, started, forget: (photo) => forget(photo) };
}
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("a view follows photo and layer, with one read for both", async () => {
  const { model, store, reads, shown, started } = setUpFollow();
  assert.deepEqual(shown, [{ state: "busy" }]);
  await started;
  reads[0][2]("frame a");
  await settled();
  assert.deepEqual(shown.at(-1), { state: "ready", frame: "frame a", store, photo: "p" });
  model.set("photo", "q");
  model.set("layer", "b");
  await settled();
  assert.deepEqual(
    reads.map(([photo, layer]) => [photo, layer]),
    [
      ["p", "a"],
      ["q", "b"],
    ],
  );
});

test("what has ended before it began listens to nothing", () => {
  const model = makeModel({ photo: "p" });
  let heard = 0;
  onChange(model, ["photo"], () => heard++, AbortSignal.abort());
  model.set("photo", "q");
  assert.equal(heard, 0);
});

test("an error is shown, a frame that is no longer wanted is not", async () => {
  const { model, reads, shown, started } = setUpFollow();
  await started;
  reads[0][3](new Error("no such layer"));
  await settled();
  assert.deepEqual(shown.at(-1), { state: "error", message: "no such layer" });
  model.set("layer", "b");
  await settled();
  model.set("layer", "");
  await settled();
  reads[1][2]("frame b");
  await settled();
  assert.deepEqual(shown.at(-1), { state: "empty" });
});

test("a forgotten frame is read again, and a view that is gone shows nothing more", async () => {
  const { reads, shown, end, started, forget } = setUpFollow();
  await started;
  forget("p");
  await settled();
  assert.equal(reads.length, 2);
  const before = shown.length;
  end.abort();
  reads[1][2]("frame");
  await settled();
  assert.equal(shown.length, before);
});

test("without a store there is nothing to show", async () => {
  const { shown, started } = setUpFollow({ store: null });
  await started;
  assert.deepEqual(shown, [{ state: "empty" }]);
});

test("a store that is closed is an error that says what to do", async () => {
  const shown = [];
  const model = makeModel({ store: "anywidget:s", photo: "", layer: "a" });
  const host = { getWidget: async () => Promise.reject(new Error("no such model")) };
  const { signal } = new AbortController();
  await followFrame({ model, host, signal }, (now) => shown.push(now));
  assert.equal(shown.at(-1).state, "error");
  assert.match(shown.at(-1).message, /Run its cell again/);
});

test("what JSON has no number for is said, not counted as zero", () => {
  for (const format of [formatNumber, formatShort, formatShare]) {
    assert.equal(format(null), "not finite");
  }
  assert.equal(formatShare(Number.NaN), "NaN");
});
