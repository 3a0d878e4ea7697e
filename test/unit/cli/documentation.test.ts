import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Command } from "commander";
import { buildProgram } from "../../../src/cli/program.js";
import { repositoryRoot } from "../../support/repository.js";

const readDoc = (name: string): string => readFileSync(join(repositoryRoot, "docs", name), "utf8");

function subcommands(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...subcommands(one)]);
}

test("docs/cli.md names every flag that there is, and none that there is not", () => {
  const text = readDoc("cli.md");
  const configuration = readDoc("configuration.md");
  const known = new Set(["--help", "--json", "--version"]);
  for (const command of subcommands(buildProgram())) {
    for (const { long, hidden } of command.options) {
      if (long === undefined || long === null || hidden) continue;
      known.add(long);
      const place = command.name() === "start" ? `${text}${configuration}` : text;
      assert.ok(place.includes(`\`${long}\``) || place.includes(`${long} `), `${command.name()} ${long}`);
    }
  }
  for (const [flag] of text.matchAll(/--[a-z][a-z-]+/g)) assert.ok(known.has(flag), flag);
});

test("docs/library.md names every method of the client", async () => {
  const text = readDoc("library.md");
  const { Client } = await import("../../../src/client/client.js");
  for (const name of Object.getOwnPropertyNames(Client.prototype)) {
    if (name === "constructor" || name === "request") continue;
    assert.match(text, new RegExp(`\`${name}(\\(|\`)`), name);
  }
});
