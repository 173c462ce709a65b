import { Buffer } from 'node:buffer';
import { quoteBytes } from './go-text.ts';

/** A body that breaks the text format; the message names the line. */
export class TextFormatError extends Error {
  override readonly name = 'TextFormatError';
}

/** The body ended within a line; the last line needs its newline, too. */
export class EndOfInput extends Error {
  override readonly name = 'EndOfInput';
}

const NAME_START = /[a-zA-Z_]/;
const NAME_REST = /[a-zA-Z0-9_]/;

export function isBlank(byte: string): boolean {
  return byte === ' ' || byte === '\t';
}

/** Walks a body byte by byte, so that bytes which are not UTF-8 are found where they matter: in a label's value. */
export class Reader {
  readonly #bytes: string;
  #at = 0;
  #line = 0;
  /** The byte read last, as a character below U+0100. */
  byte = '';

  constructor(body: Uint8Array) {
    this.#bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  }

  fault(message: string): TextFormatError {
    return new TextFormatError(`text format parsing error in line ${this.#line}: ${message}`);
  }

  is(byte: string): boolean {
    return this.byte === byte;
  }

  /** Goes to the first byte of the next line that is not blank; false at the end of the body. */
  startLine(): boolean {
    this.#line += 1;
    do {
      if (this.#at >= this.#bytes.length) return false;
      this.#next();
    } while (isBlank(this.byte));
    return true;
  }

  skipBlank(): void {
    do this.#next();
    while (isBlank(this.byte));
  }

  skipIfBlank(): void {
    if (isBlank(this.byte)) this.skipBlank();
  }

  untilBlank(): string {
    return this.#while((byte) => !isBlank(byte) && byte !== '\n');
  }

  untilNewline(): string {
    return this.#while((byte) => byte !== '\n');
  }

  metricName(): string {
    const isStart = NAME_START.test(this.byte) || this.byte === ':';
    return isStart ? this.#while((byte) => NAME_REST.test(byte) || byte === ':') : '';
  }

  labelName(): string {
    return NAME_START.test(this.byte) ? this.#while((byte) => NAME_REST.test(byte)) : '';
  }

  helpText(): string {
    return utf8(this.#unescape('\n', { n: '\n', '\\': '\\' }), false);
  }

  /** From its opening quote to its closing one. */
  labelValue(): string {
    this.#next();
    const bytes = this.#unescape('"', { n: '\n', '\\': '\\', '"': '"' });
    try {
      return utf8(bytes, true);
    } catch {
      throw this.fault(`invalid label value ${quoteBytes(bytes)}`);
    }
  }

  #unescape(end: string, escapes: Record<string, string>): string {
    let token = '';
    while (this.byte !== end) {
      if (this.byte === '\n') throw this.fault(`label value ${quoteBytes(token)} contains unescaped new-line`);
      if (this.byte === '\\') {
        this.#next();
        const meant = escapes[this.byte];
        if (meant === undefined) throw this.fault(`invalid escape sequence '\\${this.byte}'`);
        token += meant;
      } else {
        token += this.byte;
      }
      this.#next();
    }
    return token;
  }

  #while(belongs: (byte: string) => boolean): string {
    const from = this.#at - 1;
    while (belongs(this.byte)) this.#next();
    return this.#bytes.slice(from, this.#at - 1);
  }

  #next(): void {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new EndOfInput();
    this.byte = byte;
    this.#at += 1;
  }
}

function utf8(bytes: string, fatal: boolean): string {
  if (!/[\u0080-\u00ff]/.test(bytes)) return bytes;
  const raw = Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
  return new TextDecoder('utf-8', { fatal, ignoreBOM: true }).decode(raw);
}
