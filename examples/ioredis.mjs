/**
 * Any Redis client works; this is ioredis.
 *
 * Run: npm start, and in another terminal: node examples/ioredis.mjs
 */
import { Redis } from "ioredis";

const redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6380");

await redis.set("hello", "world", "EX", 60);
console.log("hello is", await redis.get("hello"), "for", await redis.ttl("hello"), "s");

const replies = await redis.pipeline().incr("visits").incr("visits").get("visits").exec();
console.log(
  "a pipeline:",
  replies.map(([, reply]) => reply),
);

console.log("all or none:", await redis.mset("x", 1, "y", 2), await redis.mget("x", "y"));
redis.disconnect();
