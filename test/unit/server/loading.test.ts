/** What a start loads: every library costs it milliseconds, on every node of a cluster that comes back. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { it } from "node:test";
import { loadConfig } from "../../../src/server/config/load-config.js";
import { startHarness } from "./http/harness.js";

const { cache } = createRequire(import.meta.url);

const isLoaded = (name: string): boolean =>
  Object.keys(cache).some((path) => path.replaceAll("\\", "/").includes(`/node_modules/${name}/`));

it("a start loads no YAML reader, no schema compiler and no documentation; who asks for them gets them", async (t) => {
  await loadConfig({ flags: {}, environment: {} });
  const { send } = await startHarness(t);
  assert.equal((await send("GET", "/health")).status, 200);
  assert(isLoaded("fastify"), "this test sees what is loaded");
  const unused = ["yaml", "ajv", "@fastify/swagger", "@fastify/swagger-ui"];
  assert.deepEqual(unused.filter(isLoaded), []);

  const document = await send("GET", "/openapi.json");
  assert.equal(document.status, 200);
  assert(isLoaded("@fastify/swagger"));
});
