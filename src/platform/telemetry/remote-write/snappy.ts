/** A copy reaches back no further than this, so blocks are compressed one by one. */
const BLOCK_BYTES = 65_536;
const HASH_BITS = 14;
const MATCH_MIN = 4;
const COPY_MAX = 64;

/**
 * Snappy's block format (google/snappy, format_description.txt), which remote write asks for: the length as a varint,
 * then literals and copies. Greedy, with one remembered place per hash of four bytes.
 */
export function snappyCompress(input: Uint8Array): Uint8Array<ArrayBuffer> {
  const output = new Output(input.length);
  output.varint(input.length);
  for (let from = 0; from < input.length; from += BLOCK_BYTES) {
    compressBlock(input, from, Math.min(from + BLOCK_BYTES, input.length), output);
  }
  return output.bytes();
}

function compressBlock(input: Uint8Array, from: number, to: number, output: Output): void {
  const places = new Int32Array(1 << HASH_BITS).fill(-1);
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let literalFrom = from;
  let at = from;
  while (at + MATCH_MIN <= to) {
    const word = view.getUint32(at, true);
    const hash = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = places[hash] ?? -1;
    places[hash] = at;
    if (candidate < 0 || view.getUint32(candidate, true) !== word) {
      at += 1;
      continue;
    }
    let length = MATCH_MIN;
    while (at + length < to && input[candidate + length] === input[at + length]) length += 1;
    output.literal(input.subarray(literalFrom, at));
    output.copy(at - candidate, length);
    at += length;
    literalFrom = at;
  }
  output.literal(input.subarray(literalFrom, to));
}

class Output {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;

  /** Snappy's own bound on what an input may grow to. */
  constructor(inputBytes: number) {
    this.#bytes = new Uint8Array(32 + inputBytes + Math.ceil(inputBytes / 6));
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.#push((rest % 128) | 0x80);
    this.#push(rest);
  }

  /** Up to one block long. */
  literal(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const size = bytes.length - 1;
    if (size < 60) this.#push(size << 2);
    else if (size < 256) this.#push(60 << 2, size);
    else this.#push(61 << 2, size & 0xff, size >> 8);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  copy(offset: number, length: number): void {
    for (let rest = length; rest > 0; rest -= COPY_MAX) {
      this.#push(((Math.min(rest, COPY_MAX) - 1) << 2) | 2, offset & 0xff, offset >> 8);
    }
  }

  #push(...bytes: number[]): void {
    for (const byte of bytes) this.#bytes[this.#at++] = byte;
  }
}
