/** What is measured, on every side: the same keys, values and numbers of clients. */
import type { EtcdLoad } from "./etcd.js";
import type { RedisBenchmark } from "./redis.js";

export interface Plan {
  readonly etcd: Readonly<Record<"fill" | "put" | "get" | "putAlone", EtcdLoad>>;
  readonly minikey: Readonly<
    Record<"fill" | "set" | "get" | "setAlone" | "setPipelined" | "getPipelined", RedisBenchmark>
  >;
}

/** @param scale of the number of requests; 1 for the published figures */
export function planOf(scale: number): Plan {
  const n = (requests: number): number => Math.max(100, Math.round(requests * scale));
  return {
    etcd: {
      // Fills the key space, so that reads find what they ask for, and warms the members up.
      fill: { op: "put", clients: 256, connections: 50, requests: n(60_000) },
      put: { op: "put", clients: 256, connections: 50, requests: n(60_000) },
      get: { op: "get", clients: 256, connections: 50, requests: n(60_000) },
      putAlone: { op: "put", clients: 1, connections: 1, requests: n(2000) },
    },
    minikey: {
      fill: { test: "set", clients: 50, requests: n(300_000), pipeline: 16 },
      set: { test: "set", clients: 256, requests: n(200_000) },
      get: { test: "get", clients: 256, requests: n(200_000) },
      setAlone: { test: "set", clients: 1, requests: n(2000) },
      // Long enough for its share of checkpoints: one in about 1.6 million.
      setPipelined: { test: "set", clients: 50, requests: n(3_000_000), pipeline: 16 },
      getPipelined: { test: "get", clients: 50, requests: n(3_000_000), pipeline: 16 },
    },
  };
}
