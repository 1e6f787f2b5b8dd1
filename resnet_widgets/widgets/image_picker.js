import { becomeRoot, element, errorLine, onChange, setTrait } from "./shared.js";

/** Longest side in pixels that is worth sending: far more than any ResNet looks at. */
export const MAX_SIDE = 2048;
/** Bytes from which on a picture is encoded anew. */
const LARGE = 6_000_000;
/** Bytes that can be sent; Jupyter drops the connection at 10 MiB. */
export const MAX_BYTES = 7_500_000;

const FORMATS = ["png", "jpeg", "webp", "gif", "bmp", "tiff"];
const USE = "use PNG, JPEG, WebP, GIF, BMP or TIFF";

/** @param {Uint8Array} head @param {number} [start] @param {number} [end] */
const textOf = (head, start, end) => String.fromCharCode(...head.subarray(start, end));

/**
 * Format of a picture by its first bytes, or `""` if it is none that can be opened.
 * @param {Uint8Array} head  12 bytes or more
 */
export function formatOf(head) {
  const text = textOf(head);
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "webp";
  if (text.startsWith("GIF8")) return "gif";
  if (text.startsWith("BM")) return "bmp";
  if (text.startsWith("II*\0") || text.startsWith("MM\0*")) return "tiff";
  return "";
}

/**
 * Why a file cannot be opened, and what to do, by its first bytes: a name proves nothing.
 * @param {Uint8Array} head  up to 512 bytes
 */
export function refusalOf(head) {
  const text = textOf(head);
  const brand = text.slice(4, 8) === "ftyp" ? text.slice(8, 12) : "";
  if (head.length === 0) return "The file is empty.";
  if (/^(hei|hev|mif1|msf1)/.test(brand)) {
    return "HEIC, the format of phones, cannot be opened here. Save it as JPEG and pick that.";
  }
  if (/^avi[fs]/.test(brand)) return "AVIF cannot be opened here. Save it as JPEG and pick that.";
  if (/<svg[\s>]/i.test(text)) {
    return "SVG is a drawing, not pixels. Save it as PNG and pick that.";
  }
  if (text.startsWith("%PDF")) return `A PDF is not a picture: ${USE}.`;
  if (brand) return `A video is not a picture: ${USE}.`;
  return `Not a picture that can be opened: ${USE}.`;
}

/**
 * The size to which a picture is brought before it is sent, or null if it goes as it is.
 * @param {number} width
 * @param {number} height
 * @param {number} bytes
 */
export function reducedSize(width, height, bytes) {
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  if (scale === 1 && bytes <= LARGE) return null;
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} type
 * @param {number} [quality]
 * @returns {Promise<Blob>}
 */
function encode(canvas, type, quality) {
  return new Promise((resolve, reject) => {
    const done = (/** @type {Blob | null} */ blob) =>
      blob ? resolve(blob) : reject(new Error("The browser could not make this picture smaller."));
    canvas.toBlob(done, type, quality);
  });
}

/** @param {ImageData} image */
function isTransparent({ data }) {
  for (let index = 3; index < data.length; index += 4) if (data[index] < 255) return true;
  return false;
}

/**
 * @param {ImageBitmap} bitmap
 * @param {{ width: number, height: number }} size
 * @returns {Promise<Blob>}  PNG where there is transparency and room for it, else JPEG
 */
async function reduce(bitmap, { width, height }) {
  const canvas = element("canvas", { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  if (isTransparent(context.getImageData(0, 0, width, height))) {
    const png = await encode(canvas, "image/png");
    if (png.size <= LARGE) return png;
    // The kernel lays transparent pictures on white as well.
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
  }
  const good = await encode(canvas, "image/jpeg", 0.92);
  // Only noise is still this large; there a lower quality cannot be seen.
  return good.size <= LARGE ? good : encode(canvas, "image/jpeg", 0.75);
}

/**
 * The bytes to send for a file: its own, or those of a smaller picture.
 * @param {File} file
 * @returns {Promise<{ bytes: ArrayBuffer, note: string }>}  the note tells what was done to it
 * @throws {Error} if it is no picture, or too large to be sent
 */
async function prepare(file) {
  // A folder that was dropped looks like a file until it is read.
  const head = await file
    .slice(0, 512)
    .arrayBuffer()
    .catch(() => {
      throw new Error("It cannot be read. A folder? Pick one picture in it.");
    });
  const start = new Uint8Array(head);
  if (!formatOf(start.subarray(0, 12))) throw new Error(refusalOf(start));
  // What the browser cannot decode, such as TIFF, the kernel may.
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(
    () => null,
  );
  const size = bitmap && reducedSize(bitmap.width, bitmap.height, file.size);
  const blob = size ? await reduce(bitmap, size) : file;
  const note = size ? reductionOf(bitmap, size) : "";
  bitmap?.close();
  if (blob.size <= MAX_BYTES) return { bytes: await blob.arrayBuffer(), note };
  const [has, most] = [blob.size, MAX_BYTES].map((bytes) => (bytes / 1e6).toFixed(1));
  throw new Error(
    `Too large to send: ${has} MB, at most ${most} MB. Save it as JPEG, or load it by its path in Python.`,
  );
}

/**
 * What was done to a picture before it was sent.
 * @param {{ width: number, height: number }} from
 * @param {{ width: number, height: number }} to
 */
export function reductionOf(from, to) {
  const [before, after] = [from, to].map(({ width, height }) => `${width} × ${height}`);
  return before === after ? "compressed as JPEG" : `reduced from ${before} to ${after}`;
}

/**
 * Sends pictures to the kernel. When one is picked while another is being prepared, only the new one
 * goes, whichever view or drop target they came by: whose turn it is stands in the model that all of
 * them share. The kernel does not know the name `turn` and drops it.
 * @param {any} model
 */
function sender(model) {
  // Shown at once; the kernel, whose word counts, answers with its own.
  const begin = () => {
    const turn = (model.get("turn") ?? 0) + 1;
    model.set("turn", turn);
    model.set("error", "");
    model.set("busy", true);
    return () => model.get("turn") === turn;
  };
  return {
    /** @param {string} name */
    sample(name) {
      begin();
      model.send({ kind: "sample", name });
    },
    /** The first of some files. @param {Iterable<File>} files */
    async photos(files) {
      const [file, ...others] = files;
      if (!file) return;
      const isTurn = begin();
      const first = others.length ? `the first of ${others.length + 1} files` : "";
      try {
        const { bytes, note } = await prepare(file);
        if (!isTurn()) return;
        const content = {
          kind: "photo",
          name: file.name,
          note: [first, note].filter(Boolean).join(", "),
        };
        model.send(content, undefined, [bytes]);
      } catch (error) {
        if (!isTurn()) return;
        model.set("busy", false);
        const reason = error instanceof Error ? error.message : String(error);
        setTrait(
          model,
          "error",
          [file.name || "picture", first, reason].filter(Boolean).join(": "),
        );
      }
    },
  };
}

/**
 * Lets files be dropped on `target`, and pasted while it has the focus.
 * @param {HTMLElement} target
 * @param {(files: File[]) => void} take
 * @param {AbortSignal} signal
 */
function takeFiles(target, take, signal) {
  /** @type {(type: string, handler: (event: any) => void) => void} */
  const on = (type, handler) => target.addEventListener(type, handler, { signal });
  /** @param {DragEvent} event */
  const over = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    target.classList.add("rw-drop");
  };
  const unmark = () => target.classList.remove("rw-drop");
  // On its way in: of two places, one in the other, the inner one takes it, and keeps it to itself.
  for (const type of ["dragenter", "dragover", "drop"])
    target.addEventListener(type, unmark, { signal, capture: true });
  on("dragenter", over);
  on("dragover", over);
  on("dragleave", (event) => {
    if (!target.contains(event.relatedTarget)) unmark();
  });
  const taken = (/** @type {Event} */ event, /** @type {DataTransfer | null} */ data) => {
    const files = [...(data?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    take(files);
  };
  on("drop", (event) => taken(event, event.dataTransfer));
  on("paste", (event) => taken(event, event.clipboardData));
}

/** @param {{ model: any }} context */
function initialize({ model }) {
  const { photos } = sender(model);
  return {
    /**
     * Sends a picture as if it had been picked.
     * @param {File} file
     */
    take: (file) => photos([file]),
    /**
     * Makes another element a place to drop and paste pictures.
     * @param {HTMLElement} target
     * @param {AbortSignal} signal
     */
    dropTarget: (target, signal) => takeFiles(target, photos, signal),
  };
}

/** @param {{ model: any, el: HTMLElement, signal: AbortSignal }} context */
function render({ model, el, signal }) {
  becomeRoot(el, signal);
  el.classList.add("rw-picker");
  const send = sender(model);
  const button = element("button", {
    type: "button",
    text: "Photo…",
    title: "Pick a picture; it can also be dropped here, or pasted",
  });
  const input = element("input", {
    type: "file",
    accept: FORMATS.map((format) => `image/${format}`).join(),
    hidden: true,
  });
  const menu = element("select", { class: "rw-picker-samples", "aria-label": "Samples" });
  const status = element("span", { class: "rw-picker-status", role: "status" });
  el.append(button, input, menu, status, errorLine(model, signal));

  const show = () => {
    /** @type {string[]} */
    const samples = model.get("samples");
    const name = model.get("name");
    const busy = model.get("busy");
    const options = ["Samples", ...samples].map((text) => element("option", { text }));
    menu.replaceChildren(...options);
    menu.hidden = samples.length === 0;
    menu.selectedIndex = samples.indexOf(name) + 1;
    el.setAttribute("aria-busy", String(busy));
    const own = samples.includes(name) ? "" : name;
    status.textContent = busy ? "Opening…" : [own, model.get("note")].filter(Boolean).join(": ");
    status.title = status.textContent;
  };

  button.addEventListener("click", () => input.click(), { signal });
  input.addEventListener(
    "change",
    () => {
      send.photos([...(input.files ?? [])]);
      // Or the same file could not be picked again.
      input.value = "";
    },
    { signal },
  );
  menu.addEventListener(
    "change",
    () => {
      const name = model.get("samples")[menu.selectedIndex - 1];
      if (name !== undefined) send.sample(name);
    },
    { signal },
  );
  takeFiles(el, send.photos, signal);
  onChange(model, ["samples", "name", "note", "busy"], show, signal);
  show();
}

export default { initialize, render };
