import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { saveNow, setTraits } from "../../resnet_widgets/widgets/saving.js";

/** A model that sends what changed since it last sent something; `said` is all of that. */
function makeModel(state) {
  const listeners = new Map();
  let diff = {};
  const put = (name, value) => {
    if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
    state[name] = value;
    for (const listener of [...(listeners.get(`change:${name}`) ?? [])]) listener();
  };
  return {
    said: [],
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) !== JSON.stringify(value)) diff[name] = value;
      put(name, value);
    },
    save_changes() {
      this.said.push(diff);
      diff = {};
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

mock.timers.enable({ apis: ["setTimeout"] });
beforeEach(() => {
  // What an earlier test has begun comes to its end.
  saveNow();
});

test("the first change is said at once, then at most one in a while, and the last is not lost", () => {
  const model = makeModel({ channel: 0 });
  const seen = [];
  model.on("change:channel", () => seen.push(model.get("channel")));
  const steps = (from, to) => {
    for (let channel = from; channel <= to; channel++) setTraits(model, { channel });
  };
  steps(1, 9);
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
  assert.deepEqual(model.said.at(-1), { channel: 21 });
});

test("each model has a pace of its own", () => {
  const [one, other] = [makeModel({ channel: 0 }), makeModel({ value: 0 })];
  setTraits(one, { channel: 1 });
  setTraits(other, { value: 1 });
  assert.deepEqual([one.said, other.said], [[{ channel: 1 }], [{ value: 1 }]]);
});

test("what is equal says nothing", () => {
  const model = makeModel({ cursor: [0, 1] });
  setTraits(model, { cursor: [0, 1] });
  mock.timers.tick(1000);
  assert.deepEqual(model.said, []);
});

test("once a hand lets go nothing waits, and nothing listens", () => {
  const model = makeModel({ channel: 0 });
  setTraits(model, { channel: 1 });
  setTraits(model, { channel: 2 });
  saveNow();
  assert.deepEqual(model.said, [{ channel: 1 }, { channel: 2 }]);
  assert.equal(model.listening(), 0);
  setTraits(model, { channel: 3 });
  assert.deepEqual(model.said.at(-1), { channel: 3 });
  mock.timers.tick(200);
  assert.equal(model.said.length, 3);
  assert.equal(model.listening(), 0);
});

test("what listeners set on the way goes along in the same message", () => {
  const model = makeModel({ cursor: [1], pixel: [1] });
  model.on("change:cursor", () => setTraits(model, { pixel: [] }));
  setTraits(model, { cursor: [] });
  assert.deepEqual(model.said, [{ cursor: [], pixel: [] }]);
});

test("an echo of what was said does not take back what was set since; other news does", () => {
  const model = makeModel({ channel: 0 });
  setTraits(model, { channel: 1 });
  setTraits(model, { channel: 5 });
  model.update("channel", 1);
  assert.equal(model.get("channel"), 5);
  mock.timers.tick(200);
  assert.deepEqual(model.said.at(-1), { channel: 5 });
  setTraits(model, { channel: 7 });
  model.update("channel", 5);
  assert.equal(model.get("channel"), 7);
  model.update("channel", 3);
  assert.equal(model.get("channel"), 3);
});

test("a widget that is closed before the last was said is no error", () => {
  const model = makeModel({ channel: 0 });
  setTraits(model, { channel: 1 });
  setTraits(model, { channel: 2 });
  model.save_changes = () => {
    throw new Error("Syncing error: no comm channel defined");
  };
  mock.timers.tick(200);
  mock.timers.tick(200);
  assert.equal(model.listening(), 0);
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
