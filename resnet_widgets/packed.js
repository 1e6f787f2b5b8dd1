// What a saved page has packed, and how it starts: alone in its first script, so that all else can be
// packed too.

/**
 * The bytes in a text, seven bits in each of its characters.
 * @param {string} text as `export.py` packs it
 */
export function bytesOf(text) {
  const bytes = new Uint8Array(Math.floor((text.length * 7) / 8));
  let [bits, count, length] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << 7) | (text.charCodeAt(i) & 127)) & 0x7fff;
    count += 7;
    if (count < 8) continue;
    count -= 8;
    bytes[length++] = bits >> count;
  }
  return bytes;
}

/** What was deflated into `text`. @param {string} text */
export async function unpack(text) {
  const packed = new Blob([bytesOf(text)]).stream();
  const stream = packed.pipeThrough(new DecompressionStream("deflate-raw"));
  return new DataView(await new Response(stream).arrayBuffer());
}

/** Lets the packed script run; the policy of the page knows it by its hash. */
export async function boot() {
  const textOf = (/** @type {string} */ id) => document.getElementById(id)?.textContent ?? "";
  try {
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(await unpack(textOf("rw-script")));
    document.head.append(script);
  } catch (error) {
    document.body.prepend(
      "This page could not be unpacked. It needs Chrome 123, Firefox 121, Safari 17.5 or newer. " +
        `(${/** @type {Error} */ (error).message})`,
    );
  }
}
