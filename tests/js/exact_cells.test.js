import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { formatExact, readingOf } from "../../resnet_widgets/widgets/cursor.js";
import { createCells, createPlanes } from "../../resnet_widgets/widgets/exact_cells.js";
import { toggledPins } from "../../resnet_widgets/widgets/pins.js";

/** Cells whose kernel is this test; `frame` is the next animation frame. */
function setUp() {
  const asked = [];
  const tasks = [];
  let messages = 0;
  const ask = (some) => {
    asked.push(...some);
    messages += 1;
  };
  const cells = createCells({ ask, soon: (task) => tasks.push(task) });
  return {
    cells,
    asked,
    messages: () => messages,
    blocks: () => asked.map(({ block }) => block[0]),
    frame: () => {
      for (const task of tasks.splice(0)) task();
    },
    answer(question, numbers = [1, 2]) {
      const buffer = new DataView(Float32Array.from(numbers).buffer);
      cells.receive({ ...question, kind: "cell" }, [buffer]);
    },
    refuse: (question) => cells.receive({ ...question, kind: "error", message: "gone" }, []),
  };
}

const at = (column) => [column, 0, column + 1, 1];

test("a cell is asked for once, and its answer is told and kept", () => {
  const { cells, asked, frame, answer } = setUp();
  let told = 0;
  const read = cells.reader(() => told++);
  assert.equal(read("p", "a", at(3)), null);
  frame();
  assert.deepEqual({ ...asked[0], id: 0 }, { id: 0, photo: "p", layer: "a", block: at(3) });
  answer(asked[0], [0.5, -7]);
  assert.equal(told, 1);
  assert.deepEqual([...read("p", "a", at(3))], [0.5, -7]);
  frame();
  assert.equal(asked.length, 1);
});

test("a pointer on its way asks for where it is, one question at a time", () => {
  const { cells, asked, blocks, frame, answer } = setUp();
  let told = 0;
  const read = cells.reader(() => told++);
  for (const column of [1, 2, 3]) read("p", "a", at(column));
  frame();
  assert.deepEqual(blocks(), [3]);
  for (const column of [4, 5]) {
    read("p", "a", at(column));
    frame();
  }
  assert.deepEqual(blocks(), [3]);
  answer(asked[0]);
  frame();
  assert.deepEqual([blocks(), told], [[3, 5], 0]);
  answer(asked[1]);
  assert.equal(told, 1);
});

test("readers of one cell share one question", () => {
  const { cells, asked, frame, answer } = setUp();
  const told = [];
  for (const name of ["map", "footer"]) cells.reader(() => told.push(name))("p", "a", at(0));
  frame();
  assert.equal(asked.length, 1);
  answer(asked[0]);
  assert.deepEqual(told, ["map", "footer"]);
});

test("what several views ask goes in one message, also when the pointer has moved on", () => {
  const { cells, asked, messages, frame, answer } = setUp();
  const reads = ["a", "b", "c"].map((layer) => [cells.reader(() => {}), layer]);
  for (const column of [0, 1]) {
    for (const [read, layer] of reads) read("p", layer, at(column));
    frame();
  }
  assert.deepEqual([asked.length, messages()], [3, 1]);
  for (const question of asked.slice(0, 3)) answer(question);
  frame();
  assert.deepEqual([asked.length, messages()], [6, 2]);
});

test("a refusal is an answer: there is no number, and it is not asked again", () => {
  const { cells, asked, frame, refuse } = setUp();
  const read = cells.reader(() => {});
  read("p", "a", at(0));
  frame();
  refuse(asked[0]);
  assert.equal(read("p", "a", at(0)), null);
  frame();
  assert.equal(asked.length, 1);
});

test("a lost question blocks for a while, not for ever", (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { cells, blocks, frame } = setUp();
  const read = cells.reader(() => {});
  read("p", "a", at(0));
  frame();
  read("p", "a", at(1));
  frame();
  assert.deepEqual(blocks(), [0]);
  mock.timers.tick(4000);
  frame();
  assert.deepEqual(blocks(), [0, 1]);
});

test("an answer that comes when it counts as lost is taken, and told to all who want it", (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { cells, asked, frame, answer } = setUp();
  const told = [];
  const read = cells.reader(() => told.push("map"));
  read("p", "a", at(0));
  cells.reader(() => told.push("footer"))("p", "a", at(0));
  frame();
  mock.timers.tick(5000);
  answer(asked[0], [7]);
  assert.deepEqual(told, ["map", "footer"]);
  assert.deepEqual([...read("p", "a", at(0))], [7]);
  frame();
  assert.equal(asked.length, 1);
  answer(asked[0], [8]);
  assert.deepEqual([...read("p", "a", at(0))], [7]);
});

test("a lost answer is not taken once its photo is forgotten, and not all of them are awaited", (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { cells, asked, frame, answer } = setUp();
  const read = cells.reader(() => {});
  const lose = (column) => {
    read("p", "a", at(column));
    frame();
    mock.timers.tick(4000);
  };
  lose(0);
  cells.forget("p");
  answer(asked[0]);
  assert.equal(read("p", "a", at(0)), null);
  for (let column = 0; column < 65; column++) lose(column);
  answer(asked[1]);
  answer(asked[2]);
  assert.equal(read("p", "a", at(0)), null);
  assert.ok(read("p", "a", at(1)));
});

test("no message has more questions than the kernel takes", () => {
  const sizes = [];
  const tasks = [];
  const cells = createCells({
    ask: (some) => sizes.push(some.length),
    soon: (task) => tasks.push(task),
  });
  for (let column = 0; column < 40; column++) cells.reader(() => {})("p", "a", at(column));
  for (const task of tasks) task();
  assert.deepEqual(sizes, [32, 8]);
});

test("what is forgotten is asked again, and an answer on its way is not taken", () => {
  const { cells, asked, frame, answer } = setUp();
  const read = cells.reader(() => {});
  read("p", "a", at(0));
  frame();
  cells.receive({ kind: "forget", photo: null }, []);
  answer(asked[0]);
  assert.equal(read("p", "a", at(0)), null);
  frame();
  assert.equal(asked.length, 2);
});

test("no more than 64 cells are kept, those used longest ago go", () => {
  const { cells, asked, frame, answer } = setUp();
  const read = cells.reader(() => {});
  for (let column = 0; column < 65; column++) {
    read("p", "a", at(column));
    frame();
    answer(asked.at(-1));
    read("p", "a", at(1));
  }
  assert.ok(read("p", "a", at(1)) && read("p", "a", at(64)));
  assert.equal(read("p", "a", at(0)), null);
});

test("a view that is gone asks nothing and is told nothing", () => {
  const { cells, asked, frame, answer } = setUp();
  const view = new AbortController();
  let told = 0;
  const read = cells.reader(() => told++, view.signal);
  read("p", "a", at(0));
  frame();
  read("p", "a", at(1));
  view.abort();
  answer(asked[0]);
  frame();
  assert.deepEqual([asked.length, told], [1, 0]);
});

test("an exact number is the shortest decimal of that float32", () => {
  const texts = [0.1, -2.5, 16777216, 1 / 3, 0, 1e-7].map((value) =>
    formatExact(Math.fround(value)),
  );
  assert.deepEqual(texts, ["0.1", "−2.5", "16777216", "0.33333334", "0", "1e−7"]);
  for (let i = 0; i < 500; i++) {
    const value = Math.fround((Math.random() - 0.5) * 10 ** (i % 20));
    assert.equal(Math.fround(Number(formatExact(value).replace("−", "-"))), value);
  }
  assert.equal(formatExact(NaN), "NaN");
});

test("a reading says whether it is exact", () => {
  const frame = { value: () => 0.5 };
  const exact = Float32Array.of(9, 0.25);
  assert.equal(readingOf(frame, 1, [2, 1, 3, 2], exact), "row 1 col 2 = 0.25");
  assert.equal(readingOf(frame, 1, [2, 1, 4, 2], exact), "row 1 col 2–3 mean = 0.25");
  assert.equal(readingOf(frame, 1, [2, 1, 3, 2]), "row 1 col 2 ≈ 0.5");
});

test("a pin is added, and taken away where it is; of too many the oldest goes", () => {
  const pin = (x) => [x / 7, 0, (x + 1) / 7, 1 / 7];
  assert.deepEqual(toggledPins([pin(1)], pin(2)), [pin(1), pin(2)]);
  assert.deepEqual(toggledPins([pin(1), pin(2)], [1 / 7 + 1e-9, 0, 2 / 7, 1 / 7]), [pin(2)]);
  const six = [0, 1, 2, 3, 4, 5].map(pin);
  assert.deepEqual(toggledPins(six, pin(6)), [1, 2, 3, 4, 5, 6].map(pin));
});

test("of the planes a slider passes only the last is asked for, and its bytes are kept", () => {
  const asked = [];
  const tasks = [];
  const planes = createPlanes({
    ask: (some) => asked.push(...some),
    soon: (task) => tasks.push(task),
  });
  let told = 0;
  const read = planes.reader(() => told++);
  for (const channel of [3, 4, 5]) assert.equal(read("p", "a", channel), null);
  for (const task of tasks.splice(0)) task();
  assert.deepEqual({ ...asked[0], id: 0 }, { id: 0, photo: "p", layer: "a", channel: 5 });
  const answer = { ...asked[0], kind: "plane" };
  const bytes = new DataView(Uint8Array.of(9, 7, 252, 255).buffer, 1, 3);
  planes.receive({ ...answer, kind: "cell", block: [0, 0, 1, 1], channel: undefined }, [bytes]);
  assert.equal(told, 0);
  planes.receive(answer, [bytes]);
  assert.equal(told, 1);
  assert.deepEqual([...read("p", "a", 5)], [7, 252, 255]);
  planes.forget("p");
  assert.equal(read("p", "a", 5), null);
});
