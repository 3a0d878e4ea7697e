/**
 * The library's client of a running cluster. Kill a node while it runs: it goes on.
 *
 * Run: npm start, and in another terminal: node examples/client.mjs
 */
import { connect, MinikeyError } from "minikeydb";

const db = connect(process.env.MINIKEY_CONNECT ?? "127.0.0.1:6380,127.0.0.1:6381,127.0.0.1:6382");

await db.put("mykey", "myvalue");
console.log("mykey is", await db.get("mykey"));

// Calls of one turn leave in one write.
await Promise.all(["a", "b", "c"].map((name) => db.put(`letter:${name}`, name.toUpperCase())));
for await (const key of db.scan({ prefix: "letter:" })) console.log(key, "is", await db.get(key));

// Any replica, at once, possibly a moment old.
console.log("a stale read:", await db.get("mykey", { consistency: "stale" }));

await db.put("session", "short", { ttlMs: 60_000 });
console.log("session goes in", await db.ttl("session"), "ms");

try {
  await db.incr("mykey");
} catch (error) {
  if (!(error instanceof MinikeyError)) throw error;
  console.log("as expected:", error.code, "-", error.message, "- outcome", error.outcome);
}
await db.close();
