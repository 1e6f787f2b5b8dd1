import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Frame } from "../../resnet_widgets/widgets/frame.js";
import { createStore } from "../../resnet_widgets/widgets/frame_store.js";

/** A message's buffer: `channels` planes of `height` × `width` bytes, all `code`. */
function buffer(channels, height = 1, width = 1, { code = 0, offset = 0 } = {}) {
  const head = 16 * channels;
  const bytes = new Uint8Array(offset + head + channels * height * width).fill(code, offset + head);
  const floats = new Float32Array(4 * channels);
  for (let c = 0; c < channels; c++) {
    floats.set([-1 - c], c);
    floats.set([3 + c], channels + c);
    floats.set([0.5 + c], 2 * channels + c);
    floats.set([0.25], 3 * channels + c);
  }
  bytes.set(new Uint8Array(floats.buffer), offset);
  return new DataView(bytes.buffer, offset);
}

/** A store whose kernel is this test: `asked` are the wants, `answer` and `refuse` reply. */
function setUp({ limit = 1e9 } = {}) {
  const asked = [];
  const store = createStore({ ask: (want) => asked.push({ ...want }), limit: () => limit });
  const latest = (layer) => asked.findLast((want) => want.layer === layer);
  return {
    store,
    asked,
    layers: () => asked.map((want) => want.layer),
    answer(layer, { id = latest(layer).id, channels = 1 } = {}) {
      const { photo } = latest(layer);
      const message = { kind: "frame", id, photo, layer, shape: [1, 2, channels] };
      store.receive(message, [buffer(channels, 1, 2)]);
    },
    refuse(layer, text) {
      const { id, photo } = latest(layer);
      store.receive({ kind: "error", id, photo, layer, message: text }, []);
    },
  };
}

test("a frame of a saved page knows how far apart its levels are", async () => {
  const { store, asked } = setUp();
  const read = store.reader().read("p", "a");
  const answer = { kind: "frame", ...asked[0], shape: [1, 2, 1], reduction: 1, step: 7 };
  store.receive(answer, [buffer(1, 1, 2)]);
  assert.equal((await read).step, 7);
});

test("a reduced frame has fewer bytes than cells; each cell has the number of its square", () => {
  const view = buffer(1, 2, 3);
  for (const [i, code] of [0, 63, 126, 189, 252, 255].entries()) view.setUint8(16 + i, code);
  const frame = new Frame("x", [4, 5, 1], view, 2);
  assert.deepEqual([frame.width, frame.height, frame.columns, frame.rows], [5, 4, 3, 2]);
  assert.deepEqual([...frame.plane(0)], [0, 63, 126, 189, 252, 255]);
  const row = (y) => Array.from({ length: 5 }, (_, x) => frame.value(0, y, x));
  assert.deepEqual(
    [row(1), row(2)],
    [
      [-1, -1, 0, 0, 1],
      [2, 2, 3, 3, NaN],
    ],
  );
  assert.throws(() => new Frame("x", [4, 5, 1], view, 1), /expected 36/);
});

test("a frame is read from its buffer, wherever that starts", () => {
  const frame = new Frame("x", [2, 3, 2], buffer(2, 2, 3, { code: 126, offset: 3 }));
  assert.deepEqual([...frame.low, ...frame.high], [-1, -2, 3, 4]);
  assert.deepEqual([...frame.strength, ...frame.zeros], [0.5, 1.5, 0.25, 0.25]);
  assert.deepEqual([frame.channels, frame.height, frame.width, frame.bytes], [2, 2, 3, 44]);
  assert.deepEqual([...frame.plane(1)], Array(6).fill(126));
  assert.equal(frame.value(0, 1, 2), 1);
});

test("the planes lie one after the other", () => {
  const view = buffer(2, 1, 2);
  new Uint8Array(view.buffer).set([10, 20, 30, 40], 32);
  const frame = new Frame("x", [1, 2, 2], view);
  assert.deepEqual([...frame.plane(0), ...frame.plane(1)], [10, 20, 30, 40]);
});

test("codes above 252 are the numbers that are not finite", () => {
  const value = (code) => new Frame("x", [1, 2, 1], buffer(1, 1, 2, { code })).value(0, 0, 0);
  assert.deepEqual([value(0), value(252)], [-1, 3]);
  assert.deepEqual([value(253), value(254), value(255)], [-Infinity, Infinity, NaN]);
});

test("a vector's values are exact", () => {
  const frame = new Frame("x", [2], buffer(2, 1, 1, { code: 77 }));
  assert.equal(frame.value(1, 0, 0), 1.5);
});

test("a buffer of another length is an error", () => {
  assert.throws(() => new Frame("x", [2, 2, 1], buffer(1, 1, 2)), /18 bytes; expected 20/);
});

test("readers of one layer share one message, and a read frame is not asked for again", async () => {
  const { store, asked, answer } = setUp();
  const reads = [store.reader().read("p", "a"), store.reader().read("p", "a")];
  assert.equal(asked.length, 1);
  answer("a");
  const [one, two] = await Promise.all(reads);
  assert.equal(one, two);
  assert.equal(await store.reader().read("p", "a"), one);
  assert.equal(store.peek("p", "a"), one);
  assert.equal(store.peek("p", "b"), null);
  assert.equal(asked.length, 1);
});

test("a reader has one want in flight, then asks for the newest; older reads give null", async () => {
  const { store, layers, answer } = setUp();
  const reader = store.reader();
  const reads = ["a", "b", "c"].map((layer) => reader.read("p", layer));
  assert.deepEqual(layers(), ["a"]);
  assert.equal(await reads[0], null);
  assert.equal(await reads[1], null);
  answer("a");
  assert.deepEqual(layers(), ["a", "c"]);
  answer("c");
  assert.equal((await reads[2]).layer, "c");
  assert.equal(store.peek("p", "a").layer, "a");
});

test("readers do not wait for each other", () => {
  const { store, layers } = setUp();
  store.reader().read("p", "a");
  store.reader().read("p", "b");
  assert.deepEqual(layers(), ["a", "b"]);
});

test("a frame another reader asked for is delivered while an own want is in flight", async () => {
  const { store, answer } = setUp();
  const reader = store.reader();
  reader.read("p", "slow");
  const read = reader.read("p", "b");
  store.reader().read("p", "b");
  answer("b");
  assert.equal((await read).layer, "b");
});

test("an error is an answer: it rejects the read, and the next read asks again", async () => {
  const { store, layers, answer, refuse } = setUp();
  const reader = store.reader();
  const read = reader.read("p", "a");
  refuse("a", "no such layer");
  await assert.rejects(read, { message: "no such layer" });
  const again = reader.read("p", "a");
  assert.deepEqual(layers(), ["a", "a"]);
  answer("a");
  assert.equal((await again).layer, "a");
});

test("a malformed frame is an error of the read", async () => {
  const { store, asked } = setUp();
  const read = store.reader().read("p", "a");
  store.receive({ ...asked[0], kind: "frame", shape: [9, 9, 1] }, [buffer(1)]);
  await assert.rejects(read, /expected 97/);
});

test("a kernel that cannot be asked is an error of the read", async () => {
  const store = createStore({
    ask() {
      throw new Error("comm is closed");
    },
    limit: () => 1e9,
  });
  const reader = store.reader();
  await assert.rejects(reader.read("p", "a"), /comm is closed/);
  await assert.rejects(reader.read("p", "a"), /comm is closed/);
});

test("an answer to another page's question is not taken", () => {
  const { store, asked, answer } = setUp();
  store.reader().read("p", "a");
  answer("a", { id: asked[0].id + 1 });
  assert.equal(store.peek("p", "a"), null);
});

test("the frames used longest ago go first, those on screen stay", async () => {
  const { store, answer } = setUp({ limit: 40 }); // a frame of one channel has 18 bytes
  const shown = store.reader();
  const walk = store.reader();
  const read = async (reader, layer) => {
    const frame = reader.read("p", layer);
    if (!store.peek("p", layer)) answer(layer);
    await frame;
  };
  await read(shown, "a");
  await read(walk, "b");
  await read(walk, "c");
  const kept = () => ["a", "b", "c", "d"].filter((layer) => store.peek("p", layer));
  assert.deepEqual(kept(), ["a", "c"]);
  await read(walk, "d");
  assert.deepEqual(kept(), ["a", "d"]);
  await read(shown, "d");
  await read(walk, "b");
  assert.deepEqual(kept(), ["b", "d"]);
});

test("a frame that is read again counts as used", async () => {
  const { store, answer } = setUp({ limit: 54 });
  const walk = store.reader();
  for (const layer of ["a", "b", "c", "a", "d"]) {
    const read = walk.read("p", layer);
    if (!store.peek("p", layer)) answer(layer);
    await read;
  }
  const kept = ["a", "b", "c", "d"].filter((layer) => store.peek("p", layer));
  assert.deepEqual(kept, ["a", "c", "d"]);
});

test("a view that is gone holds nothing and gets nothing", async () => {
  const { store, answer } = setUp({ limit: 20 });
  const view = new AbortController();
  const reader = store.reader(view.signal);
  const read = reader.read("p", "a");
  answer("a");
  await read;
  const late = reader.read("p", "c");
  view.abort();
  assert.equal(await late, null);
  const next = store.reader().read("p", "b");
  answer("b");
  await next;
  assert.equal(store.peek("p", "a"), null);
});

test("prefetching is one at a time, waits for reads, and skips what is here", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { store, layers, answer } = setUp();
  const read = store.reader().read("p", "a");
  store.prefetch("p", ["b", "a", "c"]);
  assert.deepEqual(layers(), ["a"]);
  answer("a");
  await read;
  assert.deepEqual(layers(), ["a"], "that is drawn first");
  t.mock.timers.tick(50);
  assert.deepEqual(layers(), ["a", "b"]);
  const urgent = store.reader().read("p", "d");
  answer("b");
  assert.deepEqual(layers(), ["a", "b", "d"]);
  answer("d");
  await urgent;
  t.mock.timers.tick(50);
  assert.deepEqual(layers(), ["a", "b", "d", "c"]);
});

test("a read joins a prefetch of the same frame", async () => {
  const { store, layers, answer } = setUp();
  store.prefetch("p", ["b"]);
  const read = store.reader().read("p", "b");
  answer("b");
  assert.equal((await read).layer, "b");
  assert.deepEqual(layers(), ["b"]);
});

test("a read that joins a prefetch is kept, however little room there is", async () => {
  const { store, answer } = setUp({ limit: 20 });
  const shown = store.reader().read("p", "a");
  answer("a");
  await shown;
  store.prefetch("p", ["b"]);
  const read = store.reader().read("p", "b");
  answer("b");
  await read;
  assert.ok(store.peek("p", "a") && store.peek("p", "b"));
});

test("what is forgotten is not fetched ahead", () => {
  const { store, layers, answer } = setUp();
  store.prefetch("p", ["b", "c"]);
  store.receive({ kind: "forget", photo: "p" }, []);
  answer("b");
  assert.deepEqual(layers(), ["b", "b"]);
});

test("a failed prefetch goes on with the next", () => {
  const { store, layers, refuse } = setUp();
  store.prefetch("p", ["b", "c"]);
  refuse("b", "too big");
  assert.deepEqual(layers(), ["b", "c"]);
});

test("prefetching stops where it would push out what is shown or was just fetched", async () => {
  const { store, layers, answer } = setUp({ limit: 40 });
  const read = store.reader().read("p", "a");
  answer("a");
  await read;
  store.prefetch("p", ["b", "c", "d"]);
  answer("b");
  answer("c");
  assert.deepEqual(layers(), ["a", "b", "c"]);
  assert.deepEqual(
    ["a", "b", "c"].map((layer) => store.peek("p", layer) !== null),
    [true, true, false],
  );
});

test("what is fetched ahead pushes out what nobody has looked at, then half of what was seen", async () => {
  const { store, layers, answer } = setUp({ limit: 6 * 18 });
  const reader = store.reader();
  const see = async (/** @type {string} */ layer) => {
    const read = reader.read("p", layer);
    if (!store.peek("p", layer)) answer(layer);
    await read;
  };
  const here = () => [..."abcdefghijkl"].filter((layer) => store.peek("p", layer)).join("");
  const fetch = (/** @type {string} */ list) => {
    store.prefetch("p", [...list]);
    for (const layer of list) if (layers().at(-1) === layer) answer(layer);
  };
  for (const layer of "abcd") await see(layer);
  fetch("ef");
  fetch("gh");
  assert.equal(here(), "abcdgh");
  for (const layer of "gh") await see(layer);
  fetch("ijkl");
  assert.equal(here(), "dghijk");
  assert.equal(layers().at(-1), "l");
});

test("where there is no more room the first of a new list takes the place of the last", async () => {
  const { store, layers, answer } = setUp({ limit: 4 * 18 });
  const reader = store.reader();
  for (const layer of "ab") {
    const read = reader.read("p", layer);
    answer(layer);
    await read;
  }
  store.prefetch("p", ["c", "d"]);
  for (const layer of "cd") answer(layer);
  // The pointer is on another layer now.
  store.prefetch("p", ["x", "c", "d"]);
  answer("x");
  const here = () => [..."abcdx"].filter((layer) => store.peek("p", layer)).join("");
  assert.equal(here(), "abdx");
  assert.equal(layers().at(-1), "x", "nothing is fetched again for which there is no room");
});

test("a read pushes out what was read long ago before what comes next", async () => {
  const { store, answer } = setUp({ limit: 3 * 18 });
  const reader = store.reader();
  const see = async (/** @type {string} */ layer) => {
    const read = reader.read("p", layer);
    answer(layer);
    await read;
  };
  for (const layer of "ab") await see(layer);
  store.prefetch("p", ["c"]);
  answer("c");
  await see("d");
  const here = [..."abcd"].filter((layer) => store.peek("p", layer)).join("");
  assert.equal(here, "bcd");
});

test("a new list takes the old one's place", () => {
  const { store, layers, answer } = setUp();
  store.prefetch("p", ["b", "c"]);
  store.prefetch("p", ["d"]);
  answer("b");
  assert.deepEqual(layers(), ["b", "d"]);
});

test("forgetting drops frames, asks again for what is on its way, and tells the views", async () => {
  const { store, asked, answer } = setUp();
  const told = [];
  const view = new AbortController();
  store.onForget((photo) => told.push(photo), view.signal);
  const read = store.reader().read("p", "a");
  answer("a");
  await read;
  const pending = store.reader().read("p", "b");
  store.receive({ kind: "forget", photo: "other" }, []);
  assert.ok(store.peek("p", "a"));
  store.receive({ kind: "forget", photo: "p" }, []);
  assert.equal(store.peek("p", "a"), null);
  answer("b", { id: asked[1].id });
  assert.equal(store.peek("p", "b"), null);
  answer("b");
  assert.equal((await pending).layer, "b");
  view.abort();
  store.receive({ kind: "forget", photo: null }, []);
  assert.equal(store.peek("p", "b"), null);
  assert.deepEqual(told, ["other", "p"]);
});

test("a want that was lost is asked again, then given up with advice; a late answer is taken", async (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { store, asked, layers, answer } = setUp();
  const view = new AbortController();
  let told = 0;
  store.onForget(() => told++, view.signal);
  const reader = store.reader();
  const read = reader.read("p", "a");
  mock.timers.tick(8_000);
  assert.deepEqual(layers(), ["a", "a"]);
  assert.notEqual(asked[0].id, asked[1].id);
  mock.timers.tick(52_000);
  await assert.rejects(read, /not answered for a minute.*run the cell of this widget again/);
  answer("a", { id: asked[0].id });
  assert.equal(told, 1);
  assert.equal((await reader.read("p", "a")).layer, "a");
  assert.equal(layers().length, 2);
  mock.timers.tick(100_000);
  assert.equal(layers().length, 2);
});

test("a lost want does not keep a reader from another layer", async (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { store, layers, answer } = setUp();
  const reader = store.reader();
  reader.read("p", "lost");
  const read = reader.read("p", "b");
  assert.deepEqual(layers(), ["lost"]);
  mock.timers.tick(8_000);
  assert.deepEqual(layers(), ["lost", "lost", "b"]);
  answer("b");
  assert.equal((await read).layer, "b");
});

test("the first answer to a want that was asked twice is enough", async (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { store, asked, answer } = setUp();
  const read = store.reader().read("p", "a");
  mock.timers.tick(8_000);
  answer("a", { id: asked[0].id });
  assert.equal((await read).layer, "a");
  answer("a");
  mock.timers.tick(100_000);
  assert.equal(asked.length, 2);
});

test("a frame that cannot be read is an error, and not asked for without end", async () => {
  const { store, asked, layers } = setUp();
  let told = 0;
  store.onForget(() => told++, new AbortController().signal);
  const read = store.reader().read("p", "a");
  store.receive({ kind: "frame", ...asked[0], shape: [9, 9, 1] }, [buffer(1)]);
  await assert.rejects(read, /bytes; expected/);
  assert.equal(told, 0);
  assert.deepEqual(layers(), ["a"]);
});

test("a frame that failed is asked for again when it is chosen anew, and shown if it comes by another way", async () => {
  const { store, layers, answer, refuse } = setUp();
  const view = new AbortController();
  let told = 0;
  store.onForget(() => told++, view.signal);
  const reader = store.reader();
  const read = reader.read("p", "a");
  refuse("a", "no memory");
  await assert.rejects(read, /no memory/);
  assert.equal(told, 0, "or the views would ask for ever");
  store.retry("p", "a");
  store.retry("p", "other");
  assert.equal(told, 1);
  const again = reader.read("p", "a");
  refuse("a", "no memory");
  await assert.rejects(again, /no memory/);
  assert.equal(told, 1);
  store.prefetch("p", ["a"]);
  answer("a");
  assert.equal(told, 2);
  assert.deepEqual(layers(), ["a", "a", "a"]);
  store.retry("p", "a");
  assert.equal(told, 2);
});
