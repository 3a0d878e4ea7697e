/**
 * What the peers that can be heard say of themselves, and who of them is believed what.
 *
 * A transport lets anyone in who greets. Two clusters whose nodes have the same names and, by a mistake in an
 * address, one connection, would elect each other's leaders and take each other's entries: so a node listens to its
 * own cluster only, and to nodes without data that ask to be let in again.
 */
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Greeting } from "../ports/transport.js";
import type { Identity } from "./identity.js";

export interface AcquaintanceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** This node's own. */
  readonly identity: () => Identity;
  readonly onFatal: (error: unknown) => void;
}

/** How long a node that has met only strangers waits for one of its own. */
const STRANGER_GRACE_MS = 1_000;

export class Acquaintances {
  readonly #options: AcquaintanceOptions;
  readonly #greetings = new Map<NodeId, Greeting>();
  /** Another node of this node's cluster has greeted. */
  #hasMetOwn = false;

  constructor(options: AcquaintanceOptions) {
    this.#options = options;
  }

  /** False for a node of another cluster. */
  onGreeting(greeting: Greeting): boolean {
    this.#greetings.set(greeting.nodeId, greeting);
    const { clusterId, stage } = this.#options.identity();
    // Before a cluster is formed, its founders may have to agree on its name again.
    if (stage === "forming" && greeting.stage === "forming") return true;
    if (clusterId === "" || greeting.clusterId === "" || greeting.clusterId === clusterId) {
      if (greeting.clusterId !== "") this.#hasMetOwn = true;
      return true;
    }
    this.#onStranger(greeting, clusterId);
    return false;
  }

  onDown(peer: NodeId): void {
    this.#greetings.delete(peer);
  }

  /** A member of this node's cluster. */
  isOwn(peer: NodeId): boolean {
    const greeting = this.#greetings.get(peer);
    return greeting?.stage === "formed" && greeting.clusterId === this.#options.identity().clusterId;
  }

  /** Has no data, or none that it uses, and may ask to be let in again. */
  isReturning(peer: NodeId): boolean {
    const greeting = this.#greetings.get(peer);
    if (greeting?.stage !== "fresh") return false;
    return greeting.clusterId === "" || greeting.clusterId === this.#options.identity().clusterId;
  }

  /** One of the two has a directory that does not belong here: the one that meets none of its own. */
  #onStranger(greeting: Greeting, ownId: string): void {
    const { clock, logger, onFatal } = this.#options;
    const problem = wrongCluster(greeting, ownId);
    logger.error(problem.message);
    clock.after(STRANGER_GRACE_MS, () => {
      if (!this.#hasMetOwn) onFatal(problem);
    });
  }
}

export function wrongCluster({ nodeId, address, clusterId }: Greeting, ownId: string): MinikeyError {
  return new MinikeyError(
    "WRONG_CLUSTER",
    `${nodeId} at ${address} belongs to cluster ${clusterId}, this node's data directory to cluster ${ownId}`,
  );
}
