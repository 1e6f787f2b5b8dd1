import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatOf,
  MAX_SIDE,
  reducedSize,
  reductionOf,
  refusalOf,
} from "../../resnet_widgets/widgets/image_picker.js";

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

test("a refusal names what the file is, by what is in it, and what to do", () => {
  const heads = {
    "The file is empty.": [""],
    HEIC: ["\0\0\0\x18ftypheic\0", "\0\0\0\x18ftypmif1", "\0\0\0\x18ftyphevc"],
    AVIF: ["\0\0\0\x18ftypavif"],
    SVG: ["<svg xmlns=", '<?xml version="1.0"?>\n<!-- c -->\n<SVG\nwidth="1">'],
    "A PDF": ["%PDF-1.7"],
    "A video": ["\0\0\0\x18ftypisom"],
    "Not a picture that can be opened: use PNG": ["words", "svg>", "PK\x03\x04"],
  };
  for (const [start, examples] of Object.entries(heads)) {
    for (const head of examples) assert.ok(refusalOf(bytes(head)).startsWith(start), head);
  }
});

test("what was done to a picture is said in its own numbers", () => {
  const [large, small] = [
    { width: 6000, height: 4000 },
    { width: 2048, height: 1365 },
  ];
  assert.equal(reductionOf(large, small), "reduced from 6000 × 4000 to 2048 × 1365");
  assert.equal(reductionOf(small, small), "compressed as JPEG");
});
