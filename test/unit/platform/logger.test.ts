import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { describe, it } from "node:test";
import { openLogger, silentLogger } from "../../../src/platform/logger.js";
import { makeTempDir } from "../../support/temp-dir.js";

const isLoaded = (name: string): boolean =>
  Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes(`/node_modules/${name}/`));

describe("the logger", () => {
  it("costs nothing before the first one is made", async () => {
    assert.equal(isLoaded("pino"), false);
    await openLogger({ level: "silent" });
    assert.equal(isLoaded("pino"), true);
  });

  it("writes one line of JSON a message, at once, from its level on", async (t) => {
    const file = path.join(makeTempDir(t), "out");
    const descriptor = fs.openSync(file, "w");
    const logger = await openLogger({ level: "info", fields: { node: "n1" }, descriptor });
    logger.debug("too fine");
    logger.info("started", { port: 6380, join: undefined });
    logger.warn("slow");
    logger.error("disk\nfailed", { code: "EIO" });
    const lines = fs.readFileSync(file, "utf8").trimEnd().split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of parsed) {
      assert(Math.abs(Date.parse(String(line["time"])) - Date.now()) < 60_000);
      line["time"] = undefined;
    }
    assert.deepEqual(parsed, [
      { level: "info", time: undefined, node: "n1", port: 6380, msg: "started" },
      { level: "warn", time: undefined, node: "n1", msg: "slow" },
      { level: "error", time: undefined, node: "n1", code: "EIO", msg: "disk\nfailed" },
    ]);
    fs.closeSync(descriptor);
  });

  it("can say nothing at all", () => {
    silentLogger.debug("a");
    silentLogger.info("a");
    silentLogger.warn("a");
    silentLogger.error("a");
  });
});
