/**
 * A program that behaves towards `minikey cluster` as a node does, or as a bad one: `DIR/behaviour` says how.
 * What is tested is the supervision of processes, and these are real ones.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "" },
    "http-port": { type: "string", default: "0" },
    "stop-with-parent": { type: "boolean", default: false },
  },
  strict: false,
});
const path = join(String(values.data), "behaviour");
const behaviour = existsSync(path) ? readFileSync(path, "utf8") : "good";

if (behaviour === "fails") {
  process.stderr.write("minikey: the disk is on fire\n");
  process.exit(1);
}
if (behaviour === "stubborn") process.on("SIGTERM", () => {});
else process.on("SIGTERM", () => process.exit(0));
if (values["stop-with-parent"] === true) {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}
createServer((_, response) => {
  response.statusCode = behaviour === "never-ready" ? 503 : 200;
  response.end();
}).listen(Number(values["http-port"]), "127.0.0.1");
