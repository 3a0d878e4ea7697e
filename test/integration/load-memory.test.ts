/** How much memory `minikey load` takes does not depend on how much it reads. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createGzip } from "node:zlib";
import { ByteWriter } from "../../src/codec/byte-writer.js";
import { RecordGenerator } from "../../src/document/record-generator.js";
import { startMemoryServer } from "../support/memory-server.js";
import { minikeyPath } from "../support/repository.js";

const MIB = 1024 * 1024;
const STREAM_BYTES = 220 * MIB;
const CHUNK_RECORDS = 2_000;
/** Measured: 78 to 83 MiB, of which Node.js itself takes 45. */
const RESIDENT_BYTES_MAX = 160 * MIB;

/** Records of about 500 bytes; the same keys again and again, so that only the loader sees how many they are. */
function makeChunk(): Buffer {
  const names = Array.from({ length: 30 }, (_, i) => ({ name: `name${i}`, type: "string" }) as const);
  const generator = new RecordGenerator({ names, depth: 2, stringLengthMax: 40, setSizeMax: 30, seed: 5 });
  const writer = new ByteWriter();
  for (let i = 0; i < CHUNK_RECORDS; i += 1) generator.write(writer);
  return Buffer.from(writer.toBytes());
}

/** The most memory that a process has had resident so far; undefined where the system does not tell. */
function peakBytes(pid: number): number | undefined {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

for (const isZipped of [false, true]) {
  const what = isZipped ? "gzipped, from a pipe" : "from a pipe";
  test(`220 MiB of records, ${what}, are loaded in a heap of 64 MiB`, async (t) => {
    const server = await startMemoryServer();
    t.after(() => server.stop());
    const args = ["--max-old-space-size=64", minikeyPath, "load", "-", "--json", "--connect", server.address];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    let out = "";
    child.stdout.on("data", (text: Buffer) => {
      out += text.toString();
    });
    const ended = once(child, "close");
    const input = isZipped ? createGzip({ level: 1 }) : child.stdin;
    if (isZipped) input.pipe(child.stdin);
    const chunk = makeChunk();
    let records = 0;
    for (let sent = 0; sent < STREAM_BYTES; sent += chunk.length) {
      records += CHUNK_RECORDS;
      if (!input.write(chunk)) await once(input, "drain");
    }
    const peak = peakBytes(child.pid ?? 0);
    input.end();
    assert.deepEqual(await ended, [0, null]);
    assert.deepEqual([JSON.parse(out).loaded, JSON.parse(out).failed], [records, 0]);
    if (peak === undefined) t.diagnostic("this system does not tell how much memory a process has had");
    else {
      t.diagnostic(`${Math.round(peak / MIB)} MiB resident at most`);
      assert.ok(peak < RESIDENT_BYTES_MAX, `${Math.round(peak / MIB)} MiB resident`);
    }
  });
}
