/** `minikey generate`: writes records made up at random to standard output, as many as one likes. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Writable } from "node:stream";
import { ByteWriter } from "../../codec/byte-writer.js";
import { RecordGenerator } from "../../document/record-generator.js";
import { ExitError, unreadable } from "../failure.js";
import { parseKeyFile } from "./key-file.js";

export interface GenerateFlags {
  readonly keyFile: string;
  readonly lines: number;
  readonly depth: number;
  readonly longest: number;
  readonly most: number;
  readonly seed?: number;
}

const CHUNK_BYTES = 64 * 1024;

export async function runGenerate(flags: GenerateFlags): Promise<void> {
  const names = parseKeyFile(flags.keyFile, await readKeyFile(flags.keyFile));
  const seed = flags.seed ?? randomBytes(6).readUIntLE(0, 6);
  if (flags.seed === undefined) process.stderr.write(`--seed ${seed} makes the same records again\n`);
  const generator = new RecordGenerator({
    names,
    depth: flags.depth,
    stringLengthMax: flags.longest,
    setSizeMax: flags.most,
    seed,
  });
  const output = new Output(process.stdout);
  const chunk = new ByteWriter(2 * CHUNK_BYTES);
  for (let line = 0; line < flags.lines; line += 1) {
    generator.write(chunk);
    if (chunk.length < CHUNK_BYTES && line < flags.lines - 1) continue;
    if (!(await output.write(chunk.toBytes()))) return;
    chunk.clear();
  }
}

async function readKeyFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** A stream that is written to at the speed at which it is read. */
class Output {
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
    // Every write hears of its own error.
    stream.on("error", () => undefined);
  }

  /** False when nobody reads any more, as behind `| head`. Fails when the bytes cannot be written. */
  async write(bytes: Uint8Array): Promise<boolean> {
    const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
      this.#stream.write(bytes, resolve);
    });
    if (error === null || error === undefined) return true;
    if (error.code === "EPIPE") return false;
    const reason = error.code === "ENOSPC" ? "the disk is full" : error.message;
    throw new ExitError(`cannot write the records: ${reason}`);
  }
}
