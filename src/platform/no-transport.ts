/** The transport of a node that is alone: an embedded one-node cluster, which opens no port. */
import type { Transport } from "../ports/transport.js";

export function noTransport(): Transport {
  return {
    start: async () => await Promise.resolve(),
    setPeers: () => undefined,
    updateGreeting: () => undefined,
    send: () => false,
    flush: () => undefined,
    isUp: () => false,
    stop: async () => await Promise.resolve(),
  };
}
