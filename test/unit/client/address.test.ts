import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, parseAddress, parseAddressOrUrl } from "../../../src/client/address.js";

test("addresses are read and written alike", () => {
  for (const text of ["127.0.0.1:6380", "db-1.example.com:1", "[::1]:6381"]) {
    assert.equal(formatAddress(parseAddress(text)), text);
  }
  assert.deepEqual(parseAddress("localhost"), { host: "localhost", port: 6380 });
});

test("a URL gives address, credentials and keyspace", () => {
  assert.deepEqual(parseAddressOrUrl("redis://alice:s%40crt@db:7000/3"), {
    address: { host: "db", port: 7000 },
    username: "alice",
    password: "s@crt",
    keyspace: "3",
  });
  assert.deepEqual(parseAddressOrUrl("redis://db"), { address: { host: "db", port: 6380 } });
});

test("what is not an address is refused by name", () => {
  for (const text of ["", "a b:1", "host:0", "host:65536", "host:12x", "::1", "redis://"]) {
    assert.throws(() => parseAddressOrUrl(text), { code: "BAD_REQUEST" }, text);
  }
});
