/** Where records come from: a file or standard input, gzipped or not, in chunks, with what was read counted. */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { ExitError, unreadable } from "../failure.js";

const CHUNK_BYTES = 256 * 1024;

export interface Source {
  /** For messages. */
  readonly name: string;
  /** Bytes to read; undefined when nobody knows. */
  readonly totalBytes: number | undefined;
  /** Bytes read so far, before decompression. */
  readonly readBytes: number;
  chunks(): AsyncIterable<Buffer>;
  /** Gives up what is being read, also while it is waited for: `chunks` may then fail. */
  stop(): void;
}

/** `-` is standard input. Fails with one line when the file cannot be read. `name` is for messages. */
export async function openSource(path: string, stdin: Readable, name = path): Promise<Source> {
  if (path === "-") return new StreamSource("standard input", undefined, () => stdin);
  let totalBytes: number;
  try {
    const handle = await open(path, "r");
    await handle.close();
    const facts = await stat(path);
    if (facts.isDirectory()) throw new ExitError(`${path} is a directory`);
    totalBytes = facts.size;
  } catch (error) {
    if (error instanceof ExitError) throw error;
    throw unreadable(path, error);
  }
  return new StreamSource(name, totalBytes, () => createReadStream(path, { highWaterMark: CHUNK_BYTES }));
}

class StreamSource implements Source {
  readonly name: string;
  readonly totalBytes: number | undefined;
  readonly #openStream: () => Readable;
  #readBytes = 0;
  #stream: Readable | undefined;

  constructor(name: string, totalBytes: number | undefined, openStream: () => Readable) {
    this.name = name;
    this.totalBytes = totalBytes;
    this.#openStream = openStream;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  async *chunks(): AsyncIterable<Buffer> {
    this.#readBytes = 0;
    const [head, rest] = await this.#readHead();
    const isGzip = head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b;
    if (!isGzip) {
      yield* joined(head, rest);
      return;
    }
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
    Readable.from(joined(head, rest))
      .on("error", (error) => gunzip.destroy(error))
      .pipe(gunzip);
    yield* this.#inflated(gunzip);
  }

  stop(): void {
    this.#stream?.destroy();
  }

  async *#inflated(gunzip: Gunzip): AsyncIterable<Buffer> {
    try {
      for await (const chunk of gunzip) yield chunk as Buffer;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code?.startsWith("Z_") !== true) throw error;
      throw new ExitError(`${this.name}: the gzip data is damaged or cut off (${message})`);
    }
  }

  /** The first two bytes at least, if there are that many, and the rest. */
  async #readHead(): Promise<[Buffer, AsyncIterator<Buffer>]> {
    const iterator = this.#counted()[Symbol.asyncIterator]();
    let head: Buffer = Buffer.alloc(0);
    while (head.length < 2) {
      const next = await iterator.next();
      if (next.done === true) break;
      head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
    }
    return [head, iterator];
  }

  async *#counted(): AsyncGenerator<Buffer, void, undefined> {
    this.#stream = this.#openStream();
    for await (const chunk of this.#stream) {
      const bytes = chunk as Buffer;
      this.#readBytes += bytes.length;
      yield bytes;
    }
  }
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  try {
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    // A reader that stops early closes the file.
    await rest.return?.();
  }
}
