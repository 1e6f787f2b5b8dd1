import assert from "node:assert/strict";
import { test } from "node:test";
import { watchKernel } from "../../resnet_widgets/widgets/lifeline.js";

/** A watched model: what was told and sent, and how to make time and messages come. */
function watched(t, send = () => {}) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const listeners = new Map();
  const [told, sent] = [[], []];
  const ends = new AbortController();
  const model = {
    on: (name, heard) => listeners.set(name, heard),
    off: (name, heard) => listeners.get(name) === heard && listeners.delete(name),
    send: (content) => {
      sent.push(content.kind);
      send();
    },
  };
  const kernel = watchKernel(model, (message) => told.push(message.slice(0, 22)), ends.signal, 100);
  const emit = (name) => listeners.get(name)?.({ kind: "pong" });
  return { kernel, told, sent, emit, listeners, ends, pass: (ms) => t.mock.timers.tick(ms) };
}

test("an answer in time says nothing", (t) => {
  const { kernel, told, sent, pass } = watched(t);
  kernel.asked();
  pass(99);
  kernel.answered();
  pass(1000);
  assert.deepEqual([told, sent], [[], []]);
});

test("an answer that is overdue: the kernel is asked whether it is there, then the page says so", (t) => {
  const { kernel, told, sent, emit, pass } = watched(t);
  kernel.asked();
  pass(100);
  assert.deepEqual([told, sent], [[], ["ping"]]);
  pass(100);
  assert.deepEqual(told, ["The kernel is not answ"]);
  emit("msg:custom");
  assert.equal(told.at(-1), "");
});

test("a kernel that is merely slow answers the ping, and nothing is said", (t) => {
  const { kernel, told, emit, pass } = watched(t);
  kernel.asked();
  pass(150);
  emit("msg:custom");
  pass(1000);
  assert.deepEqual(told, [""]);
});

test("a restart is told at once, and stays so whatever the page finds in its memory", (t) => {
  const { kernel, told, sent, emit, pass } = watched(t);
  emit("comm_live_update");
  assert.deepEqual([told, sent], [["The kernel was restart"], ["ping"]]);
  kernel.asked();
  kernel.answered();
  pass(1000);
  assert.ok(told.every((message) => message.startsWith("The kernel was restart")));
});

test("a connection that comes back answers, and the word of a restart goes", (t) => {
  const { told, emit, pass } = watched(t);
  emit("comm_live_update");
  emit("msg:custom");
  pass(1000);
  assert.equal(told.at(-1), "");
});

test("a connection that cannot even be spoken to is gone", (t) => {
  const { kernel, told, pass } = watched(t, () => {
    throw new Error("no comm");
  });
  kernel.asked();
  pass(100);
  assert.deepEqual(told, ["The kernel is not answ"]);
});

test("nothing is left after the end", (t) => {
  const { kernel, told, sent, listeners, ends, pass } = watched(t);
  kernel.asked();
  ends.abort();
  pass(1000);
  assert.deepEqual([told, sent, listeners.size], [[], [], 0]);
});
