// One activation in the page, and what is worked out from it.

/** Milliseconds that a frame somebody has waited for may be drawn in, before others are fetched. */
export const DRAWING = 50;

/** One activation as the kernel sent it; see `Frame` in `frame.py` for the meaning of the bytes. */
export class Frame {
  /**
   * @param {string} layer
   * @param {number[]} shape `[H, W, C]`, or `[C]` for a vector
   * @param {DataView} buffer four rows of C float32, then the bytes of C planes
   * @param {number} [reduction] cells along a side of the squares whose means the bytes are
   * @param {number} [step] from one byte that occurs to the next: a saved page has fewer levels
   * @param {number[]} [muted] channels that an edit has set to zero
   */
  constructor(layer, shape, buffer, reduction = 1, step = 1, muted = []) {
    this.layer = layer;
    this.muted = muted;
    this.step = step;
    this.reduction = reduction;
    this.shape = shape;
    this.channels = shape[shape.length - 1];
    this.height = shape.length === 3 ? shape[0] : 1;
    this.width = shape.length === 3 ? shape[1] : 1;
    // Width and height count cells; columns and rows, the bytes of a plane.
    this.columns = Math.ceil(this.width / reduction);
    this.rows = Math.ceil(this.height / reduction);
    const head = 16 * this.channels;
    this.bytes = head + this.channels * this.rows * this.columns;
    if (!(this.bytes > 0) || buffer.byteLength !== this.bytes) {
      throw new Error(
        `The kernel sent a frame of shape ${shape} in ${buffer.byteLength} bytes; expected ${this.bytes}.`,
      );
    }
    // A copy, because a Float32Array must start at a multiple of 4.
    const floats = new Float32Array(
      buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + head),
    );
    const row = (/** @type {number} */ index) =>
      floats.subarray(index * this.channels, (index + 1) * this.channels);
    this.low = row(0);
    this.high = row(1);
    this.strength = row(2);
    this.zeros = row(3);
    this.data = new Uint8Array(buffer.buffer, buffer.byteOffset + head, this.bytes - head);
    /** @type {Map<string, { of: unknown, result: any }>} */
    this.known = new Map();
  }

  /**
   * What views work out from the bytes, once for all of them: the result of the newest `of`.
   * @template T
   * @param {string} name
   * @param {unknown} of what the result depends on beside the frame
   * @param {() => T} make
   * @returns {T}
   */
  recall(name, of, make) {
    const found = this.known.get(name);
    if (found && found.of === of) return found.result;
    const result = make();
    this.known.set(name, { of, result });
    return result;
  }

  /** Whether there is one number a channel, and no picture. */
  get isVector() {
    return this.height * this.width === 1;
  }

  /**
   * The bytes of one channel, row after row.
   * @param {number} channel
   */
  plane(channel) {
    const size = this.rows * this.columns;
    return this.data.subarray(channel * size, (channel + 1) * size);
  }

  /**
   * The number in one cell: exact in a vector, else within step/504 of the channel's range; of a
   * reduced frame, that of the square it is in.
   * @param {number} channel
   * @param {number} row
   * @param {number} column
   */
  value(channel, row, column) {
    if (this.isVector && Number.isFinite(this.strength[channel])) return this.strength[channel];
    const [down, across] = [row, column].map((at) => Math.floor(at / this.reduction));
    const code = this.plane(channel)[down * this.columns + across];
    if (code > 252) return [-Infinity, Infinity, NaN][code - 253];
    return this.low[channel] + (code / 252) * (this.high[channel] - this.low[channel]);
  }
}
