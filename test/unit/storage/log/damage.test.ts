import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import * as fc from "fast-check";
import { SimDisk, seededChance } from "../../../../sim/disk/sim-disk.js";
import { asBytes } from "../../../../src/core/bytes.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { groupId } from "../../../../src/core/ids.js";
import {
  BLOCK_BYTES,
  readUnitHeader,
  roundUpToBlock,
  UNIT_HEADER_BYTES,
} from "../../../../src/storage/log/format.js";
import { appendTo, describeState, entry, hardState, snapshotAt } from "./log-model.js";
import { LogRun, turn } from "./log-run.js";

/** A log on disk, and what it holds after each of its units. */
interface Specimen {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly units: readonly SpecimenUnit[];
  /** `states[i]`: after the first `i` units. */
  readonly states: readonly string[];
}

interface SpecimenUnit {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** Bytes of a file that are not what they were; `end` may lie beyond the file. */
interface Touched {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

type Files = Map<string, Buffer>;

/** Some are alike. */
const sizeOf = (i: number): number => (i < 10 ? 700 : (i * 97) % 800);

/** Four segments of a log with three groups; closed, so that a seal is its last unit, or just left. */
async function makeSpecimen(sealed: boolean): Promise<Specimen> {
  const run = new LogRun(seededChance(7), 4096);
  await run.open();
  const states = [describeState(run.state)];
  const openings: number[] = [];
  for (let i = 1; i <= 14; i += 1) {
    const append = appendTo(1 + (i % 2), [entry(Math.ceil(i / 2), 1, `${i} ${"y".repeat(sizeOf(i))}`)], {
      hardState: hardState(1, 1, 0),
    });
    run.give({ kind: "append", append });
    if (i === 5) run.give({ kind: "compact", group: groupId(2), snapshot: snapshotAt(1, 1) });
    if (i === 7) run.give({ kind: "append", append: appendTo(3, [], { snapshot: snapshotAt(40, 2) }) });
    await run.settle();
    await turn();
    states.push(describeState(run.state));
  }
  if (sealed) await run.log?.close();
  const files: Files = new Map(run.disk.paths().map((path) => [path, run.disk.contents(path)]));
  const units = [...files].flatMap(([path, bytes]) => unitsIn(path, bytes));
  // Opening units and the seal change nothing.
  const statesOfUnits = [states[0]];
  for (const unit of units) {
    const isData = unit.start !== BLOCK_BYTES && !(sealed && unit === units.at(-1));
    statesOfUnits.push(isData ? states[++openings.length] : statesOfUnits[statesOfUnits.length - 1]);
  }
  return { files, units, states: statesOfUnits };
}

function unitsIn(path: string, bytes: Buffer): SpecimenUnit[] {
  const units: SpecimenUnit[] = [];
  let start = BLOCK_BYTES;
  for (;;) {
    const header = readUnitHeader(asBytes(bytes), start);
    if (header === undefined) return units;
    units.push({ path, start, end: start + header.lengthBytes });
    start += roundUpToBlock(header.lengthBytes);
  }
}

/** What a start makes of the files: the groups, or the error. */
async function recover(files: Files): Promise<string | MinikeyError> {
  const run = new LogRun(seededChance(1), 4096);
  run.disk = new SimDisk(seededChance(2));
  for (const [path, bytes] of files) run.disk.setContents(path, bytes);
  try {
    return describeState((await run.openAnyway()).groups);
  } catch (error) {
    assert(error instanceof MinikeyError, `an error of the table, not ${String(error)}`);
    return error;
  }
}

/**
 * The outcome is `DATA_CORRUPT` with file and byte, or all the data, or all but the data of the last unit, if
 * it was touched. More may be gone only where nothing is left to tell that it was there: a touched unit behind
 * which no header is intact.
 */
async function checkOutcome(specimen: Specimen, files: Files, touched: readonly Touched[]): Promise<string> {
  const outcome = await recover(files);
  if (typeof outcome !== "string") {
    assert.equal(outcome.code, "DATA_CORRUPT", outcome.message);
    assert.match(outcome.message, /^log\/\d{10}\.log is damaged at byte \d+: ./);
    return "corrupt";
  }
  const { units, states } = specimen;
  const touches = ({ path }: SpecimenUnit, start: number, end: number): boolean =>
    touched.some((range) => range.path === path && range.start < end && range.end > start);
  let allowed = units.length;
  for (; allowed > 0; allowed -= 1) {
    const { start, end } = units[allowed - 1];
    if (!touches(units[allowed - 1], start === BLOCK_BYTES ? 0 : start, end)) break;
    const next = units.at(allowed);
    if (next !== undefined && !touches(next, next.start, next.start + UNIT_HEADER_BYTES)) break;
  }
  const acceptable = states.slice(allowed);
  assert(acceptable.includes(outcome), `neither corrupt nor a prefix that may be left:\n${outcome}`);
  return outcome === states[units.length] ? "whole" : "torn";
}

type Damage = (files: Files, a: number, b: number, c: number) => Touched[];

/** Each makes one kind of damage at a place given by its numbers, and says what it touched. */
const damages: Record<string, Damage> = {
  "a flipped bit": (files, a, b) => {
    const [path, bytes] = pick(files, a);
    const at = b % bytes.length;
    bytes[at] ^= 1 << (a % 8);
    return [{ path, start: at, end: at + 1 }];
  },
  "overwritten bytes": (files, a, b, c) => {
    const [path, bytes] = pick(files, a);
    const start = b % bytes.length;
    const end = Math.min(bytes.length, start + 1 + (c % 700));
    for (let i = start; i < end; i += 1) bytes[i] = c % 3 === 0 ? 0 : (i * c) & 0xff;
    return [{ path, start, end }];
  },
  "a cut file": (files, a, b) => {
    const [path, bytes] = pick(files, a);
    files.set(path, Buffer.from(bytes.subarray(0, b % bytes.length)));
    // No crash makes a file shorter than it was made, so this is never taken for a torn unit.
    return [];
  },
  "a longer file": (files, a, b, c) => {
    const [path, bytes] = pick(files, a);
    files.set(path, Buffer.concat([bytes, Buffer.alloc(1 + (b % 2000), c)]));
    return [{ path, start: bytes.length, end: Number.MAX_SAFE_INTEGER }];
  },
  "bytes copied over others": (files, a, b, c) => {
    const [, source] = pick(files, a);
    const [path, target] = pick(files, c);
    const from = b % source.length;
    const start = (a * c) % target.length;
    const size = Math.min(1 + ((b * 31) % 1500), source.length - from, target.length - start);
    source.copy(target, start, from, from + size);
    return [{ path, start, end: start + size }];
  },
  "blocks copied over others": (files, a, b, c) => {
    const [, source] = pick(files, a);
    const [path, target] = pick(files, c);
    const from = (b * BLOCK_BYTES) % source.length;
    const start = (a * c * BLOCK_BYTES) % target.length;
    const size = Math.min((1 + (b % 4)) * BLOCK_BYTES, source.length - from, target.length - start);
    source.copy(target, start, from, from + size);
    return [{ path, start, end: start + size }];
  },
  "bytes put in twice": (files, a, b, c) => {
    const [path, bytes] = pick(files, a);
    const start = b % bytes.length;
    const size = 1 + (c % 1500);
    files.set(
      path,
      Buffer.concat([bytes.subarray(0, start), bytes.subarray(start, start + size), bytes.subarray(start)]),
    );
    return [{ path, start, end: start + size }];
  },
  "bytes taken out": (files, a, b, c) => {
    const [path, bytes] = pick(files, a);
    const start = b % bytes.length;
    const size = 1 + (c % 1500);
    files.set(path, Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + size)]));
    return [{ path, start, end: start + size }];
  },
  "two files exchanged": (files, a, b) => {
    const [path, bytes] = pick(files, a);
    const [other, otherBytes] = pick(files, b);
    files.set(path, otherBytes);
    files.set(other, bytes);
    return [path, other].map((name) => ({ path: name, start: 0, end: Number.MAX_SAFE_INTEGER }));
  },
  "a lost file": (files, a) => {
    const [path] = pick(files, a);
    files.delete(path);
    return [{ path, start: 0, end: Number.MAX_SAFE_INTEGER }];
  },
};

function pick(files: Files, number: number): [path: string, bytes: Buffer] {
  return [...files][number % files.size];
}

describe("a damaged log", () => {
  for (const sealed of [false, true]) {
    const how = sealed ? "closed" : "left by a kill";
    let specimen: Specimen;
    before(async () => {
      specimen = await makeSpecimen(sealed);
    });
    const copy = (): Files => new Map([...specimen.files].map(([path, bytes]) => [path, Buffer.from(bytes)]));

    it(`is read whole when it is not damaged (${how})`, async () => {
      assert(specimen.files.size >= 4 && specimen.units.length >= 18);
      assert.equal(await checkOutcome(specimen, copy(), []), "whole");
    });

    for (const [name, damage] of Object.entries(damages)) {
      it(`shows ${name} as corruption, or has lost the last unit alone (${how})`, async () => {
        const outcomes = new Set<string>();
        await fc.assert(
          fc.asyncProperty(fc.nat(1e6), fc.nat(1e6), fc.nat(1e6), async (a, b, c) => {
            const files = copy();
            const touched = damage(files, a, b, c);
            outcomes.add(await checkOutcome(specimen, files, touched));
          }),
          { numRuns: Number(process.env["LOG_DAMAGE_RUNS"] ?? 150) },
        );
        if (name !== "a longer file") assert(outcomes.has("corrupt"), `${name} is noticed`);
      });
    }

    it(`is found out when a unit holds another unit's records (${how})`, async () => {
      const [, a, b] = specimen.units.filter(({ path }) => path.endsWith("1.log"));
      assert.equal(a.end - a.start, b.end - b.start);
      const files = copy();
      const bytes = files.get(a.path)!;
      bytes.copy(bytes, a.start + UNIT_HEADER_BYTES, b.start + UNIT_HEADER_BYTES, b.end);
      const outcome = await recover(files);
      assert(typeof outcome !== "string", "another unit's intact records are not this one's");
      assert(outcome.message.startsWith(`${a.path} is damaged at byte ${a.start + UNIT_HEADER_BYTES}:`));
    });

    it(`is found out when the last two units are damaged, unless nothing tells that the last was there (${how})`, async () => {
      const [before, last] = specimen.units.slice(-2);
      assert.equal(before.path, last.path);
      const files = copy();
      const bytes = files.get(last.path)!;
      bytes[before.end - 1] ^= 1;
      bytes[last.start + 5] ^= 1;
      const outcome = await recover(files);
      assert(typeof outcome !== "string", "something was written behind a unit that is not intact");
      assert.match(outcome.message, /though something was written after it/);
      bytes.fill(0, last.start);
      const left = await recover(files);
      // A segment that was begun is missed: the one before it has been cut to what it holds.
      if (before.start === BLOCK_BYTES) assert(typeof left !== "string");
      else assert.equal(left, specimen.states[specimen.units.length - 2]);
    });

    it(`is found out at every single flipped byte of a unit but the last (${how})`, async () => {
      for (const unit of specimen.units.slice(0, -1).filter((_, i) => i % 4 === 1)) {
        for (let at = unit.start; at < unit.end; at += 1) {
          const files = copy();
          files.get(unit.path)![at] ^= 0x10;
          const outcome = await recover(files);
          assert(typeof outcome !== "string", `byte ${at} of ${unit.path}`);
          const where = /at byte (\d+)/.exec(outcome.message)?.[1];
          assert(Number(where) >= unit.start && Number(where) <= at, `${outcome.message} (flipped: ${at})`);
          assert(outcome.message.startsWith(unit.path), outcome.message);
        }
      }
    });
  }
});
