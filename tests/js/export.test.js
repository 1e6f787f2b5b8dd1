import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { createModel, start } from "../../resnet_widgets/export.js";
import { bytesOf, unpack } from "../../resnet_widgets/packed.js";

test("a model tells of changes, and of nothing else", () => {
  const model = createModel({ layer: "a", at: [1] }, () => {});
  const heard = [];
  const listen = () => heard.push(model.get("layer"));
  model.on("change:layer", listen);
  model.set("layer", "a");
  model.set("at", [2]);
  assert.deepEqual(heard, []);
  model.set("layer", "b");
  assert.deepEqual(heard, ["b"]);
  model.off("change:layer", listen);
  model.set("layer", "c");
  assert.deepEqual(heard, ["b"]);
});

test("off leaves other listeners, and other names", () => {
  const model = createModel({ a: 0, b: 0 }, () => {});
  const heard = [];
  const [one, two] = [() => heard.push("one"), () => heard.push("two")];
  model.on("change:a", one);
  model.on("change:a", two);
  model.on("change:b", one);
  model.off("change:a", one);
  model.set("a", 1);
  model.set("b", 1);
  assert.deepEqual(heard, ["two", "one"]);
  model.off();
  model.set("a", 2);
  assert.equal(heard.length, 2);
});

test("a listener may leave while it is told", () => {
  const model = createModel({ a: 0 }, () => {});
  const heard = [];
  const once = () => {
    heard.push("once");
    model.off("change:a", once);
  };
  model.on("change:a", once);
  model.on("change:a", () => heard.push("always"));
  model.set("a", 1);
  assert.deepEqual(heard, ["once", "always"]);
});

test("messages go out and come in", () => {
  const sent = [];
  const model = createModel({}, (from, content) => {
    sent.push(content);
    from.receive({ kind: "answer" });
  });
  const heard = [];
  model.on("msg:custom", (content, buffers) => heard.push([content.kind, buffers]));
  model.send({ kind: "question" });
  assert.deepEqual(sent, [{ kind: "question" }]);
  assert.deepEqual(heard, [["answer", []]]);
});

test("a column that comes again is the one that was there", async () => {
  const part = (/** @type {any} */ state) => ({ module: "part", state });
  const widgets = {
    root: part({ map: "anywidget:map", slider: "anywidget:slider", layer: "" }),
    map: part({ layer: "" }),
    slider: part({ layer: "" }),
    stages: part({ maps: [], sliders: [], layers: [] }),
  };
  const page = { root: "root", widgets, frames: {}, pictures: {}, labels: {} };
  const found = {};
  const initialize = ({ model, host }) => {
    found.host = host;
    if (model.get("sliders")) found.stages = model;
  };
  await start(page, { part: { initialize } }, null, () => "");
  const { stages, host } = found;
  stages.set("layers", ["a", "b"]);
  const names = stages.get("maps");
  const models = await Promise.all([...names, ...stages.get("sliders")].map(host.getModel));
  assert.equal(new Set(models).size, 4);
  for (let i = 0; i < 3; i++) {
    stages.set("layers", ["a"]);
    stages.set("layers", ["a", "c"]);
  }
  assert.deepEqual(stages.get("maps"), names);
  const again = await Promise.all([...names, ...stages.get("sliders")].map(host.getModel));
  assert.ok(again.every((model, i) => model === models[i]));
});

/** As `export.py` packs: seven bits a character, three of them 256 higher. */
function textOf(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,7}/g) ?? [])
    .map((group) => Number.parseInt(group.padEnd(7, "0"), 2))
    .map((code) => String.fromCharCode([0, 13, 60].includes(code) ? code + 256 : code))
    .join("");
}

test("bytes come out as they went in, whatever their number", async () => {
  for (let length = 0; length < 20; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 89 + length) % 256);
    assert.deepEqual(bytesOf(textOf(bytes)), bytes);
  }
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * i) % 256);
  const view = await unpack(textOf(deflateRawSync(bytes)));
  assert.deepEqual(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), bytes);
  await assert.rejects(unpack("AAAA"));
});
