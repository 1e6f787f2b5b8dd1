import { becomeRoot, element, errorLine, onChange, setTrait } from "./shared.js";

/** Longest side in pixels that is worth sending: far more than any ResNet looks at. */
export const MAX_SIDE = 2048;
/** Bytes from which on a picture is encoded anew. */
const LARGE = 6_000_000;
/** Bytes that can be sent; Jupyter drops the connection at 10 MiB. */
export const MAX_BYTES = 7_500_000;

const FORMATS = ["png", "jpeg", "webp", "gif", "bmp", "tiff"];

/**
 * Format of a picture by its first 12 bytes, or `""` if it is none that can be opened.
 * @param {Uint8Array} head
 */
export function formatOf(head) {
  const text = String.fromCharCode(...head);
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "webp";
  if (text.startsWith("GIF8")) return "gif";
  if (text.startsWith("BM")) return "bmp";
  if (text.startsWith("II*\0") || text.startsWith("MM\0*")) return "tiff";
  return "";
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
 * @returns {Promise<Blob>}
 */
function encode(canvas, type) {
  return new Promise((resolve, reject) => {
    const done = (/** @type {Blob | null} */ blob) =>
      blob ? resolve(blob) : reject(new Error("The browser could not make this picture smaller."));
    canvas.toBlob(done, type, 0.92);
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
  return encode(canvas, "image/jpeg");
}

/**
 * The bytes to send for a file: its own, or those of a smaller picture.
 * @param {File} file
 * @returns {Promise<ArrayBuffer>}
 * @throws {Error} if it is no picture, or too large to be sent
 */
async function prepare(file) {
  const format = formatOf(new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  if (!format)
    throw new Error("Not a picture that can be opened: use PNG, JPEG, WebP, GIF, BMP or TIFF.");
  // What the browser cannot decode, such as TIFF, the kernel may.
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(
    () => null,
  );
  const size = bitmap && reducedSize(bitmap.width, bitmap.height, file.size);
  const blob = size ? await reduce(bitmap, size) : file;
  bitmap?.close();
  if (blob.size <= MAX_BYTES) return blob.arrayBuffer();
  const [has, most] = [blob.size, MAX_BYTES].map((bytes) => (bytes / 1e6).toFixed(1));
  throw new Error(
    `Too large to send: ${has} MB, at most ${most} MB. Save it as JPEG, or load it by its path in Python.`,
  );
}

/**
 * Sends pictures to the kernel. When one is picked while another is being prepared, only the new one
 * goes.
 * @param {any} model
 */
function sender(model) {
  let latest = 0;
  // Shown at once; the kernel, whose word counts, answers with its own.
  const begin = () => {
    model.set("error", "");
    model.set("busy", true);
    latest += 1;
    return latest;
  };
  return {
    /** @param {string} name */
    sample(name) {
      begin();
      model.send({ kind: "sample", name });
    },
    /** @param {File | undefined | null} file */
    async photo(file) {
      if (!file) return;
      const turn = begin();
      try {
        const bytes = await prepare(file);
        if (turn === latest) model.send({ kind: "photo", name: file.name }, undefined, [bytes]);
      } catch (error) {
        if (turn !== latest) return;
        model.set("busy", false);
        const reason = error instanceof Error ? error.message : String(error);
        setTrait(model, "error", `${file.name}: ${reason}`);
      }
    },
  };
}

/**
 * Lets files be dropped on `target`, and pasted while it has the focus.
 * @param {HTMLElement} target
 * @param {(file: File) => void} take
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
  on("dragenter", over);
  on("dragover", over);
  on("dragleave", (event) => {
    if (!target.contains(event.relatedTarget)) target.classList.remove("rw-drop");
  });
  const taken = (/** @type {Event} */ event, /** @type {DataTransfer | null} */ data) => {
    target.classList.remove("rw-drop");
    const file = data?.files[0];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    take(file);
  };
  on("drop", (event) => taken(event, event.dataTransfer));
  on("paste", (event) => taken(event, event.clipboardData));
}

/** @param {{ model: any }} context */
function initialize({ model }) {
  const send = sender(model);
  return {
    /**
     * Sends a picture as if it had been picked.
     * @param {File} file
     */
    take: (file) => send.photo(file),
    /**
     * Makes another element a place to drop and paste pictures.
     * @param {HTMLElement} target
     * @param {AbortSignal} signal
     */
    dropTarget: (target, signal) => takeFiles(target, send.photo, signal),
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
    status.textContent = busy ? "Opening…" : samples.includes(name) ? "" : name;
    status.title = status.textContent;
  };

  button.addEventListener("click", () => input.click(), { signal });
  input.addEventListener(
    "change",
    () => {
      send.photo(input.files?.[0]);
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
  takeFiles(el, send.photo, signal);
  onChange(model, ["samples", "name", "busy"], show, signal);
  show();
}

export default { initialize, render };
