// One question at a time: what waits, what fails, and what is never answered.

import assert from "node:assert/strict";
import { test } from "node:test";
import { oneAtATime } from "../../resnet_widgets/widgets/explain_questions.js";

/** Tasks that the test ends, each a `[resolve, reject]`. */
function setUp() {
  const tasks = [];
  const run = oneAtATime(() => new Promise((...ends) => tasks.push(ends)));
  return { tasks, run };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("of all calls that come meanwhile the last one waits", async () => {
  const { tasks, run } = setUp();
  const first = run();
  run();
  run();
  assert.equal(tasks.length, 1);
  tasks[0][0]();
  await settled();
  assert.equal(tasks.length, 2);
  tasks[1][0]();
  await first;
  assert.equal(tasks.length, 2);
});

test("what fails is heard of, unless a newer one waits, which then is asked", async () => {
  const { tasks, run } = setUp();
  const first = run();
  run();
  tasks[0][1](new Error("out of memory"));
  await settled();
  assert.equal(tasks.length, 2);
  tasks[1][1](new Error("no classes"));
  await assert.rejects(first, /no classes/);
  run();
  assert.equal(tasks.length, 3);
});

test("an answer that is lost holds nothing up, and a late one still is taken", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { tasks, run } = setUp();
  const first = run();
  run();
  t.mock.timers.tick(7_000);
  await settled();
  assert.equal(tasks.length, 1);
  t.mock.timers.tick(1_000);
  await settled();
  assert.equal(tasks.length, 2);
  t.mock.timers.tick(8_000);
  await settled();
  // Nothing waits, so nothing is asked; but the way is free.
  assert.equal(tasks.length, 2);
  const second = run();
  assert.equal(tasks.length, 3);
  tasks[1][1](new Error("too late for another"));
  await assert.rejects(first, /too late/);
  tasks[2][0]();
  await second;
});
