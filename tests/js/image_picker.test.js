import assert from "node:assert/strict";
import { test } from "node:test";
import { formatOf, MAX_SIDE, reducedSize } from "../../resnet_widgets/widgets/image_picker.js";

const bytes = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

test("a picture is known by its first bytes", () => {
  const heads = {
    png: ["\x89PNG\r\n\x1a\n\0\0\0\r"],
    jpeg: ["\xff\xd8\xff\xe0", "\xff\xd8\xff\xe1\0\0Exif"],
    webp: ["RIFF\x10\0\0\0WEBP"],
    gif: ["GIF87a", "GIF89a"],
    bmp: ["BM\0\0\0\0"],
    tiff: ["II*\0\b\0\0\0", "MM\0*\0\0\0\b"],
    "": ["", "<svg xmlns=", "\0\0\0\x18ftypheic", "%PDF-1.7", "RIFF\x10\0\0\0WAVE", "GIF", "II*"],
  };
  for (const [format, examples] of Object.entries(heads)) {
    for (const head of examples) assert.equal(formatOf(bytes(head)), format, head);
  }
});

test("what is small enough goes as it is", () => {
  assert.equal(reducedSize(MAX_SIDE, MAX_SIDE, 6_000_000), null);
  assert.equal(reducedSize(1, 1, 10), null);
});

test("what is too wide, too high or too heavy is made smaller, in proportion", () => {
  assert.deepEqual(reducedSize(4096, 3072, 10), { width: 2048, height: 1536 });
  assert.deepEqual(reducedSize(1000, 2049, 10), { width: 1000, height: 2048 });
  assert.deepEqual(reducedSize(800, 600, 6_000_001), { width: 800, height: 600 });
});

test("no side becomes nothing", () => {
  assert.deepEqual(reducedSize(1, 60_000, 10), { width: 1, height: 2048 });
});
