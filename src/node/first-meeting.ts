/**
 * Before the data of a member is opened: do the nodes at the addresses of its peers belong to its cluster?
 *
 * Opening writes: the log begins a segment, and lets go of others. A directory that was copied or mounted to the
 * wrong place is to be refused as it is, so that it can go back. One peer of its own cluster is enough to go on; so
 * is nobody, after a moment: the other nodes may be down, or be waiting like this one.
 */
import type { NodeId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Greeting, Transport } from "../ports/transport.js";
import { wrongCluster } from "./acquaintances.js";

export interface FirstMeetingOptions {
  /** The cluster that the directory belongs to. */
  readonly clusterId: string;
  readonly peers: ReadonlyMap<NodeId, string>;
}

export interface FirstMeetingParts {
  readonly clock: Clock;
  /** Not started yet; stopped when the meeting is over. It greets as the node itself. */
  readonly transport: Transport;
}

/** By then a peer that is up has greeted. */
const MEETING_MS = 1_000;

/** Rejects with `WRONG_CLUSTER` when all who greet are of other clusters, and as `transport.start` does. */
export async function meetCluster(options: FirstMeetingOptions, parts: FirstMeetingParts): Promise<void> {
  if (options.peers.size === 0) return;
  const { clock, transport } = parts;
  let stranger: Greeting | undefined;
  let hasMetOwn = false;
  await new Promise<void>((resolve, reject) => {
    const cancelTimer = clock.after(MEETING_MS, resolve);
    const onGreeting = (greeting: Greeting) => {
      if (greeting.clusterId === "") return;
      if (greeting.clusterId === options.clusterId) {
        hasMetOwn = true;
        cancelTimer();
        resolve();
      } else {
        stranger = greeting;
      }
    };
    // What is asked of this node meanwhile is asked again.
    const events = { onGreeting, onFrame: ignore, onUp: ignore, onDown: ignore };
    transport.start(events).then(
      () => transport.setPeers(options.peers),
      (error: unknown) => {
        cancelTimer();
        reject(error);
      },
    );
  });
  await transport.stop();
  if (stranger !== undefined && !hasMetOwn) throw wrongCluster(stranger, options.clusterId);
}

function ignore(): void {}
