/**
 * A database inside this program: no ports, no other process. The data stays in ./data-embedded, so a second
 * run counts on.
 *
 * Run: node examples/embedded.mjs      (after `npm run build`)
 */
import { startNode } from "minikeydb";

const node = await startNode({ dataDir: process.env.DATA_DIR ?? "./data-embedded" });
const db = node.client();

await db.put("user:1", { name: "Ada", tags: ["first"] });
console.log("user:1 is", await db.get("user:1"));
console.log("this program has run", await db.incr("runs"), "times");

// Only over the version that was read: nobody else's write is lost.
const entry = await db.getEntry("user:1");
const stored = await db.put(
  "user:1",
  { name: "Ada", tags: ["first", "second"] },
  { onlyIf: { version: entry.version } },
);
console.log("stored over version", entry.version, "-", stored);

await db.close();
await node.stop();
