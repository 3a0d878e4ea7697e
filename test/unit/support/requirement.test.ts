import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readRequired, skipWithout } from "../../support/requirement.js";

describe("what a test needs", () => {
  it("skips with the reason where it is missing, and runs where it is there", () => {
    assert.equal(skipWithout("redis", "redis-server is missing", ""), "redis-server is missing");
    assert.equal(skipWithout("redis", "redis-server is missing", "curl,mount"), "redis-server is missing");
    assert.equal(skipWithout("redis", undefined, "redis"), false);
  });

  it("throws where it is required and missing", () => {
    assert.throws(() => skipWithout("redis", "redis-server is missing", "curl,redis"), {
      message: "redis is required (MINIKEYDB_TEST_REQUIRE): redis-server is missing",
    });
  });

  it("is a word of a list that is known as a whole", () => {
    assert.deepEqual([...readRequired("redis,curl,")], ["redis", "curl"]);
    assert.throws(() => readRequired("redis,rediss"), /knows git, redis, .* not "rediss"/);
  });
});
