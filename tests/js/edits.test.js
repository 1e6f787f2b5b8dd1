// Edits: what is done to which channels, and how a hand says which.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readChannels, writeChannels } from "../../resnet_widgets/widgets/explain_channels.js";
import {
  areSame,
  areScaledByOthers,
  factorOf,
  toggled,
  withScale,
} from "../../resnet_widgets/widgets/explain_edits.js";

test("a channel has one scale, which stands for its mute too", () => {
  const mute = { kind: "mute", layer: "a", channels: [7] };
  const scale = { kind: "scale", layer: "a", channels: [7], factor: 2 };
  const others = [
    { kind: "mute", layer: "b", channels: [7] },
    { kind: "mute", layer: "a", channels: [8] },
    { kind: "erase", layer: "a", box: [0, 0, 1, 1], channels: [] },
  ];
  assert.equal(factorOf(others, "a", [7]), 1);
  assert.equal(factorOf([...others, scale], "a", [7]), 2);
  assert.equal(factorOf([scale, mute], "a", [7]), 0);
  assert.equal(factorOf([{ kind: "solo", layer: "a", channels: [7, 8] }, scale], "a", [7]), 2);
  assert.equal(factorOf([{ kind: "solo", layer: "a", channels: [8] }], "a", [7]), 0);
  assert.deepEqual(withScale([...others, scale, mute], "a", [7], 0.5), [
    ...others,
    { ...scale, factor: 0.5 },
  ]);
  assert.deepEqual(withScale([scale, mute], "a", [7], 1), []);
});

test("a set of channels has a scale of its own, beside those of the channels in it", () => {
  const both = { kind: "scale", layer: "a", channels: [3, 17], factor: 2 };
  const mute = { kind: "mute", layer: "a", channels: [3, 17] };
  const part = { kind: "mute", layer: "a", channels: [3] };
  assert.equal(factorOf([both], "a", [3, 17]), 2);
  assert.equal(factorOf([both], "a", [3]), 1);
  assert.equal(factorOf([both], "b", [3, 17]), 1);
  // A part of them that is silent leaves the rest to be scaled.
  assert.equal(factorOf([both, part], "a", [3, 17]), 2);
  assert.equal(factorOf([both, part, { ...part, channels: [17] }], "a", [3, 17]), 0);
  assert.equal(factorOf([{ kind: "solo", layer: "a", channels: [17, 20] }], "a", [3, 17]), 1);
  assert.equal(factorOf([{ kind: "solo", layer: "a", channels: [20] }], "a", [3, 17]), 0);
  assert.deepEqual(withScale([part, mute, both], "a", [3, 17], 3), [part, { ...both, factor: 3 }]);
  assert.deepEqual(withScale([part, both], "a", [3], 3), [
    both,
    { ...both, channels: [3], factor: 3 },
  ]);
});

test("a set that is scaled to nothing silences each channel in it", () => {
  const none = { kind: "scale", layer: "a", channels: [3, 7], factor: 0 };
  const own = { kind: "scale", layer: "a", channels: [7], factor: 2 };
  assert.equal(factorOf([none, own], "a", [7]), 0);
  assert.equal(factorOf([none], "a", [3, 8]), 1);
  assert.equal(factorOf([none], "b", [7]), 1);
  assert.equal(factorOf([none], "a", [3, 7]), 0);
  assert.equal(factorOf(withScale([none], "a", [3, 7], 1), "a", [3, 7]), 1);
});

test("a channel may be scaled with others too", () => {
  const both = { kind: "scale", layer: "a", channels: [3, 7], factor: 2 };
  assert.ok(areScaledByOthers([both], "a", [7]));
  assert.ok(!areScaledByOthers([both], "a", [3, 7]));
  assert.ok(!areScaledByOthers([both], "a", [3, 8]));
  assert.ok(!areScaledByOthers([both], "b", [7]));
  assert.ok(!areScaledByOthers([{ ...both, factor: 1 }], "a", [7]));
  assert.ok(!areScaledByOthers([{ ...both, kind: "mute" }], "a", [7]));
});

test("many channels of many edits are looked at once each", () => {
  let looks = 0;
  const looked = (/** @type {number[]} */ list) =>
    new Proxy(list, {
      get(target, name) {
        if (typeof name === "string" && /^\d+$/.test(name)) looks += 1;
        return Reflect.get(target, name);
      },
    });
  const all = Array.from({ length: 300 }, (_, n) => n);
  const edits = Array.from({ length: 20 }, () => ({
    kind: "solo",
    layer: "a",
    channels: looked(all),
  }));
  assert.equal(factorOf(edits, "a", all), 1);
  assert.ok(looks <= 300 * 20, `${looks} looks`);
});

test("a layer has one solo", () => {
  const solo = { kind: "solo", layer: "a", channels: [3] };
  const rest = [
    { kind: "mute", layer: "a", channels: [3] },
    { kind: "solo", layer: "b", channels: [1] },
  ];
  const other = { ...solo, channels: [4, 5] };
  assert.deepEqual(toggled([solo, ...rest], other), [...rest, other]);
  assert.deepEqual(toggled([...rest, other], other), rest);
});

test("edits are the same in any order, and others are not", () => {
  const edits = [1, 2].map((n) => ({ kind: "mute", layer: "a", channels: [n] }));
  assert.ok(areSame(edits, edits.toReversed()));
  assert.ok(!areSame(edits, edits.slice(1)));
  const scale = { kind: "scale", layer: "a", channels: [1], factor: 2 };
  assert.ok(!areSame([scale], [{ ...scale, factor: 3 }]));
  assert.deepEqual(toggled(edits, { ...edits[0] }), [edits[1]]);
});

test("channels are read as they are typed, in order and each once", () => {
  const read = (/** @type {string} */ text) => readChannels(text, 512).channels;
  assert.deepEqual(read("3, 17, 40-43"), [3, 17, 40, 41, 42, 43]);
  assert.deepEqual(read(" 17 3;3,\t2 – 4 "), [2, 3, 4, 17]);
  assert.deepEqual(read("511"), [511]);
  assert.deepEqual(read(" , "), []);
});

test("what names no channel of the layer is told", () => {
  const wrong = (/** @type {string} */ text, count = 512) => readChannels(text, count).wrong;
  for (const part of ["512", "9x", "-3", "7-", "1.5", "1-2-3", "9-4", "510-512", "1e2", "<b>"])
    assert.equal(wrong(`3, ${part}, 5`), part);
  // Neither before it is known how many there are, nor for a range of any length.
  assert.equal(wrong("0", 0), "0");
  assert.equal(wrong("0-999999999999999999999"), "0-999999999999999999999");
  assert.equal(wrong("3 - 5"), "");
});

test("channels are written as they are read", () => {
  assert.equal(writeChannels([]), "");
  assert.equal(writeChannels([3, 4, 17, 40, 41, 42]), "3, 4, 17, 40-42");
  const all = Array.from({ length: 90 }, (_, n) => n).filter((n) => n % 7 && n % 5);
  assert.deepEqual(readChannels(writeChannels(all), 90).channels, all);
});
