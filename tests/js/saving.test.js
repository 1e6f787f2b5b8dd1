import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { handWins, saveNow, setTraits } from "../../resnet_widgets/widgets/saving.js";

/**
 * A model that sends what changed since it last sent something; `said` is all of that. As in
 * ipywidgets it sets that again when it sends it, whatever the kernel has said meanwhile.
 */
function makeModel(state) {
  const listeners = new Map();
  let diff = {};
  const putAll = (values) => {
    const changed = Object.keys(values).filter(
      (name) => JSON.stringify(state[name]) !== JSON.stringify(values[name]),
    );
    for (const name of changed) state[name] = values[name];
    for (const name of changed) {
      for (const listener of [...(listeners.get(`change:${name}`) ?? [])]) listener();
    }
  };
  const put = (name, value) => putAll({ [name]: value });
  return {
    said: [],
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) !== JSON.stringify(value)) diff[name] = value;
      put(name, value);
    },
    save_changes() {
      const now = diff;
      diff = {};
      this.said.push(now);
      putAll(now);
    },
    /** The kernel sets a trait: nothing goes back. */
    update: put,
    on: (name, heard) => listeners.set(name, [...(listeners.get(name) ?? []), heard]),
    off: (name, heard) =>
      listeners.set(
        name,
        listeners.get(name).filter((other) => other !== heard),
      ),
    listening: () => [...listeners.values()].flat().length,
  };
}

/** Lets what the page does because of a change come to its end. */
const takenIn = () => Promise.resolve();

mock.timers.enable({ apis: ["setTimeout"] });
beforeEach(() => {
  // What an earlier test has begun comes to its end.
  saveNow();
});

test("a first change is said at once, then at most one in a while, and the last is not lost", async () => {
  const model = makeModel({ channel: 0 });
  const seen = [];
  model.on("change:channel", () => seen.push(model.get("channel")));
  const steps = (from, to) => {
    for (let channel = from; channel <= to; channel++) setTraits(model, { channel });
  };
  steps(1, 1);
  await takenIn();
  steps(2, 9);
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9], "the page knows each");
  assert.deepEqual(model.said, [{ channel: 1 }]);
  mock.timers.tick(199);
  assert.equal(model.said.length, 1);
  mock.timers.tick(1);
  assert.deepEqual(model.said, [{ channel: 1 }, { channel: 9 }]);
  steps(10, 20);
  assert.equal(model.said.length, 2);
  mock.timers.tick(200);
  assert.deepEqual(model.said.at(-1), { channel: 20 });
  // A pause, and a change is a first one again.
  mock.timers.tick(200);
  assert.equal(model.said.length, 3);
  steps(21, 21);
  await takenIn();
  assert.deepEqual(model.said.at(-1), { channel: 21 });
});

test("what may be said later waits for the next word, or for a while; the last is said", async () => {
  const model = makeModel({ layer: "a" });
  const choose = (layer) => setTraits(model, { layer }, { later: true });
  choose("b");
  await takenIn();
  assert.equal(model.get("layer"), "b", "the page knows");
  assert.deepEqual(model.said, []);
  choose("c");
  saveNow();
  assert.deepEqual(model.said, [{ layer: "c" }]);
  choose("d");
  mock.timers.tick(199);
  assert.equal(model.said.length, 1);
  mock.timers.tick(1);
  assert.deepEqual(model.said.at(-1), { layer: "d" });
});

test("after what was said later the next waits its turn", async () => {
  const model = makeModel({ layer: "a", channel: 0 });
  setTraits(model, { layer: "b" }, { later: true });
  mock.timers.tick(200);
  assert.deepEqual(model.said, [{ layer: "b" }]);
  setTraits(model, { channel: 3 });
  await takenIn();
  assert.equal(model.said.length, 1);
  mock.timers.tick(200);
  assert.deepEqual(model.said.at(-1), { channel: 3 });
});

test("what is due at once takes along what may be said later", async () => {
  const model = makeModel({ layer: "a", channel: 0 });
  setTraits(model, { layer: "b" }, { later: true });
  setTraits(model, { channel: 3 });
  await takenIn();
  assert.deepEqual(model.said, [{ layer: "b", channel: 3 }]);
  setTraits(model, { channel: 4 });
  await takenIn();
  assert.equal(model.said.length, 1, "one message in a while");
});

test("what a view asks for because of a change goes before the change, and both at once", async () => {
  const model = makeModel({ layer: "" });
  const asks = () => model.said.push("asked");
  model.on("change:layer", () => queueMicrotask(asks));
  setTraits(model, { layer: "conv1_relu" });
  await takenIn();
  assert.deepEqual(model.said, ["asked", { layer: "conv1_relu" }]);
});

test("a question that follows is about what was set before it", async () => {
  const model = makeModel({ edits: [] });
  setTraits(model, { edits: [1] });
  saveNow();
  assert.deepEqual(model.said, [{ edits: [1] }]);
  await takenIn();
  assert.equal(model.said.length, 1);
});

test("each model has a pace of its own", async () => {
  const [one, other] = [makeModel({ channel: 0 }), makeModel({ value: 0 })];
  setTraits(one, { channel: 1 });
  setTraits(other, { value: 1 });
  await takenIn();
  assert.deepEqual([one.said, other.said], [[{ channel: 1 }], [{ value: 1 }]]);
});

test("what is equal says nothing", () => {
  const model = makeModel({ cursor: [0, 1] });
  setTraits(model, { cursor: [0, 1] });
  mock.timers.tick(1000);
  assert.deepEqual(model.said, []);
});

test("once a hand lets go nothing waits", async () => {
  const model = makeModel({ channel: 0 });
  setTraits(model, { channel: 1 });
  await takenIn();
  setTraits(model, { channel: 2 });
  saveNow();
  assert.deepEqual(model.said, [{ channel: 1 }, { channel: 2 }]);
  setTraits(model, { channel: 3 });
  await takenIn();
  assert.deepEqual(model.said.at(-1), { channel: 3 });
  mock.timers.tick(200);
  assert.equal(model.said.length, 3);
});

test("what listeners set on the way goes along in the same message", async () => {
  const model = makeModel({ cursor: [1], pixel: [1] });
  model.on("change:cursor", () => setTraits(model, { pixel: [] }));
  setTraits(model, { cursor: [] });
  await takenIn();
  assert.deepEqual(model.said, [{ cursor: [], pixel: [] }]);
});

test("what the kernel says of a trait takes back nothing that was set since and is not said", async () => {
  const model = makeModel({ channel: 0, note: "" });
  const [ends, seen] = [new AbortController(), []];
  handWins(model, ["channel"], ends.signal);
  model.on("change:channel", () => seen.push(model.get("channel")));
  setTraits(model, { channel: 1 });
  await takenIn();
  setTraits(model, { channel: 7 });
  // An echo, and then what a line of Python says.
  for (const value of [1, 3]) {
    model.update("channel", value);
    assert.equal(model.get("channel"), 7);
  }
  mock.timers.tick(200);
  assert.deepEqual(model.said, [{ channel: 1 }, { channel: 7 }]);
  assert.deepEqual([...new Set(seen)], [1, 7], "nothing flickers");
  // Once it is said, the kernel knows better.
  model.update("channel", 3);
  mock.timers.tick(200);
  assert.equal(model.get("channel"), 3);
  assert.equal(model.said.length, 2);
  ends.abort();
  assert.equal(model.listening(), 1);
});

test("where nothing is echoed a change is by another part of the page, and stands", () => {
  const model = makeModel({ value: 0 });
  setTraits(model, { value: 9 });
  setTraits(model, { value: 10 });
  // As a container gives it: through another module, which says it elsewhere.
  model.set("value", 9);
  mock.timers.tick(200);
  assert.equal(model.get("value"), 9);
});

test("what is set while it is told is told too", () => {
  const model = makeModel({ channel: 0, region: [1] });
  setTraits(model, { channel: 1 });
  setTraits(model, { channel: 2 });
  model.on("change:channel", () => setTraits(model, { region: [] }));
  // A line of Python comes between, so that to tell it sets it again.
  model.update("channel", 5);
  setTraits(model, { region: [2] });
  saveNow();
  mock.timers.tick(200);
  assert.equal(model.get("channel"), 2);
  assert.deepEqual(model.get("region"), []);
  assert.deepEqual(model.said.at(-1).region, []);
});

test("a widget that is closed before the last was said is no error; what else fails is told", (t) => {
  const told = t.mock.method(console, "error", () => {});
  const failing = [
    // What ipywidgets throws is no Error.
    ["Syncing error: no comm channel defined", 0],
    [new Error("of a listener"), 1],
  ];
  for (const [error, times] of failing) {
    const model = makeModel({ channel: 0 });
    setTraits(model, { channel: 1 });
    setTraits(model, { channel: 2 });
    model.save_changes = () => {
      throw error;
    };
    mock.timers.tick(200);
    mock.timers.tick(200);
    assert.equal(told.mock.callCount(), times);
  }
});

test("a listener that fails keeps nothing from the kernel", () => {
  const model = makeModel({ channel: 0 });
  model.on("change:channel", () => {
    throw new Error("in a view");
  });
  assert.throws(() => setTraits(model, { channel: 1 }), /in a view/);
  mock.timers.tick(200);
  assert.deepEqual(model.said, [{ channel: 1 }]);
});
