/**
 * Plays the scenarios in test/scripts/raft and compares what happens with what is recorded there.
 *
 *   RAFT_SCRIPTS=rewrite node --test dist/test/unit/raft/scripts.test.js     records anew: read the difference
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Script } from "./script.js";

const folder = new URL("../../../../test/scripts/raft/", import.meta.url);
const isRewriting = process.env["RAFT_SCRIPTS"] === "rewrite";

/** Comments and blank lines stay; every command is followed by `----` and its output, up to a blank line. */
function play(text: string): string {
  const script = new Script();
  const lines: string[] = [];
  let isInOutput = false;
  for (const line of text.trimEnd().split("\n")) {
    if (isInOutput) isInOutput = line !== "";
    if (isInOutput || line === "----") {
      isInOutput = true;
    } else if (line === "" || line.startsWith("#")) {
      if (line !== "" || lines.at(-1) !== "") lines.push(line);
    } else {
      lines.push(line, "----", ...script.run(line), "");
    }
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

for (const name of readdirSync(folder).sort()) {
  test(`scenario ${name} goes as recorded`, () => {
    const file = new URL(name, folder);
    const recorded = readFileSync(file, "utf8");
    const played = play(recorded);
    if (isRewriting) writeFileSync(file, played);
    else assert.equal(played, recorded);
  });
}
