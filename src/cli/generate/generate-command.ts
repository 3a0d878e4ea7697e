/** `minikey generate`: writes records made up at random to standard output, as many as one likes. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ByteWriter } from "../../codec/byte-writer.js";
import { RecordGenerator } from "../../document/record-generator.js";
import { unreadable } from "../failure.js";
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
  const chunk = new ByteWriter(2 * CHUNK_BYTES);
  for (let line = 0; line < flags.lines; line += 1) {
    generator.write(chunk);
    if (chunk.length < CHUNK_BYTES && line < flags.lines - 1) continue;
    await write(chunk.toBytes());
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

/** Resolves when there is room for more: what is generated is never faster than its reader. */
async function write(bytes: Uint8Array): Promise<void> {
  await new Promise((resolve) => {
    process.stdout.write(bytes, resolve);
  });
}
