import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { COLLECTOR_FLAG } from "../../../src/cli/start/collector.js";

const runWith = (flag: string) =>
  spawnSync(process.execPath, ["-e", `require("node:v8").setFlagsFromString(${JSON.stringify(flag)})`], {
    encoding: "utf8",
  });

test("V8 knows the flag that a node sets", () => {
  const { status, stderr } = runWith(COLLECTOR_FLAG);
  assert.equal(status, 0);
  assert.equal(stderr, "");
});

test("V8 says so when it does not know a flag", () => {
  assert.match(runWith("--no-such-flag-at-all").stderr, /no-such-flag-at-all/);
});
