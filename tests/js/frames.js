import { Frame } from "../../resnet_widgets/widgets/frame.js";

/** A frame of channels given as `[low, high, codes]`, one row high. */
export function frameOf(channels, { zeros, strength, step, muted } = {}) {
  const count = channels.length;
  const width = channels[0][2].length;
  const bytes = new Uint8Array(16 * count + count * width);
  const floats = [0, 1].flatMap((end) => channels.map((channel) => channel[end]));
  const none = channels.map(() => 0);
  const statistics = [...floats, ...(strength ?? none), ...(zeros ?? none)];
  bytes.set(new Uint8Array(Float32Array.from(statistics).buffer));
  for (const [i, [, , codes]] of channels.entries()) bytes.set(codes, 16 * count + i * width);
  return new Frame("x", [1, width, count], new DataView(bytes.buffer), 1, step, muted);
}
