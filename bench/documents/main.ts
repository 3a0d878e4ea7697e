/**
 * One field of a large document: found by walking over its text, as QUERY does, beside parsing all of it. The
 * document is an object of people; the field is in the first, the middle, and the last of them.
 *
 * Run: npm run bench -- documents [MEGABYTES]
 */
import { strict as assert } from "node:assert";
import { asBytes, type Bytes } from "../../src/core/bytes.js";
import { lookUp } from "../../src/document/lookup.js";

const ROUNDS = 41;
const megabytes = Number(process.argv[2] ?? "1");

interface Person {
  readonly name: string;
  readonly age: number;
  readonly address: { readonly street: string; readonly number: number };
  readonly tags: readonly string[];
}

const personOf = (i: number): Person => ({
  name: `Person number ${i}`,
  age: i % 100,
  address: { street: `Street "${i}"`, number: i },
  tags: ["one", "two", "three"],
});

function documentOf(sizeBytes: number): { bytes: Bytes; people: number } {
  const people: Record<string, Person> = {};
  let count = 0;
  for (let size = 2; size < sizeBytes; count += 1) {
    people[`person${count}`] = personOf(count);
    size += JSON.stringify(people[`person${count}`]).length + `"person${count}":,`.length;
  }
  return { bytes: asBytes(Buffer.from(JSON.stringify(people))), people: count };
}

function medianMicroseconds(work: () => unknown): number {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = process.hrtime.bigint();
    work();
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}

const { bytes, people } = documentOf(megabytes * 1024 * 1024);
process.stdout.write(`one field of a document of ${bytes.length} bytes, medians of ${ROUNDS}\n`);

for (const [where, i] of [
  ["front", 0],
  ["middle", Math.floor(people / 2)],
  ["end", people - 1],
] as const) {
  const path = [`person${i}`, "address", "number"];
  const walk = (): number => {
    const found = lookUp(bytes, 0, bytes.length, path);
    assert.ok(found.kind === "value");
    return Number(bytes.latin1Slice(found.start, found.end));
  };
  const parse = (): number => {
    const document = JSON.parse(bytes.utf8Slice()) as Readonly<Record<string, Person>>;
    return document[path[0]].address.number;
  };
  assert.equal(walk(), parse());
  const walked = medianMicroseconds(walk);
  const parsed = medianMicroseconds(parse);
  process.stdout.write(
    `  ${where.padEnd(8)} ${walked.toFixed(1).padStart(9)} µs walked ${parsed.toFixed(0).padStart(9)} µs parsed ` +
      `${(parsed / walked).toFixed(1).padStart(9)} times\n`,
  );
}
