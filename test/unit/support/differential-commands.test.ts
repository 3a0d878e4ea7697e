/** That the comparison with redis-server leaves no command out. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../../src/commands/table.js";
import { randomCommand } from "../../support/differential-commands.js";
import { repositoryRoot } from "../../support/repository.js";
import { Seeded } from "../../support/seeded.js";

const DRAWN = 20_000;

/** Not among the random commands: which test has them, and its words. */
const ELSEWHERE: Readonly<Record<string, readonly [file: string, words: string]>> = {
  DBSIZE: ["test/support/differential.ts", '["DBSIZE"]'],
  FLUSHDB: ["test/support/differential.ts", '["FLUSHDB"'],
  SELECT: ["test/support/differential.ts", '["SELECT"'],
  INFO: ["test/integration/differential.test.ts", '"INFO server"'],
  TIME: ["test/integration/differential.test.ts", '"TIME"'],
  QUIT: ["test/unit/server/resp/server.test.ts", "ends after QUIT's reply"],
  RESET: ["test/integration/differential.test.ts", '"RESET"'],
};

test("every command that Redis has is among the random ones that are compared, or in a test that is named", () => {
  const own = new Set(["minikey", "json"]);
  const names = COMMANDS.specs
    .filter((spec) => !spec.internal && !own.has(spec.group))
    .map((spec) => spec.name);
  assert.ok(names.length > 50);
  const random = new Seeded(1);
  const drawn = new Set<string>();
  for (let i = 0; i < DRAWN; i += 1) drawn.add(String(randomCommand(random)[0]).toUpperCase());
  const missing = names.filter((name) => !drawn.has(name));
  assert.deepEqual(missing.toSorted(), Object.keys(ELSEWHERE).toSorted());
  for (const [file, words] of Object.values(ELSEWHERE)) {
    assert.ok(readFileSync(join(repositoryRoot, file), "utf8").includes(words), `${file} has no ${words}`);
  }
});
