/**
 * Clients of real nodes, of two kinds: the product's own library, which changes nodes and sends numbered writes
 * again, and plain connections, whose client goes on at another node and never asks again.
 */
import type { Answer, ClientLevels } from "../../sim/cluster/client.js";
import { isKnown, isRefused } from "../../sim/cluster/client.js";
import type { LoadClient } from "../../sim/workloads/workload.js";
import type { Client } from "../../src/client/client.js";
import { connect } from "../../src/client/connect.js";
import { toPlain } from "../../src/client/values.js";
import { MinikeyError } from "../../src/core/errors.js";
import type { NodeAddress } from "../machine/network.js";
import { Connection } from "./connection.js";
import type { RealWorld } from "./real-world.js";

/** What no client may ever be told. */
const NEVER: ReadonlySet<string> = new Set(["INTERNAL", "PROTOCOL", "DATA_CORRUPT"]);
const LIBRARIES = 6;
const LIBRARY_SHARE = 0.5;
const LIBRARY_TIMEOUT_MS = 8_000;
/** Of one node and level. */
const IDLE_CONNECTIONS_MAX = 8;

/** Commands by what became of them. */
export interface Tally {
  answered: number;
  refused: number;
  unknown: number;
}

export class Clients {
  readonly tally: Tally = { answered: 0, refused: 0, unknown: 0 };
  /** Commands under way. */
  open = 0;
  readonly #world: RealWorld;
  readonly #addresses: readonly NodeAddress[];
  readonly #onNever: (message: string) => void;
  readonly #libraries: Client[] = [];
  readonly #connections = new Set<Connection>();
  readonly #idle = new Map<string, Connection[]>();
  readonly #pipelines = new Map<number, Connection>();

  constructor(world: RealWorld, addresses: readonly NodeAddress[], onNever: (message: string) => void) {
    this.#world = world;
    this.#addresses = addresses;
    this.#onNever = onNever;
    for (let i = 0; i < LIBRARIES; i += 1) this.newLibrary();
  }

  newClient(levels: ClientLevels = {}, wanderlust = 0.1): LoadClient {
    const { random } = this.#world;
    if (random.chance(LIBRARY_SHARE)) return new LibraryClient(this, random.pick(this.#libraries), levels);
    return new PlainClient(this, levels, wanderlust);
  }

  /** One of its own, with connections of its own, that is closed with the others. */
  newLibrary(): Client {
    const first = this.#libraries.length % this.#addresses.length;
    const rotated = [...this.#addresses.slice(first), ...this.#addresses.slice(0, first)];
    const client = connect(
      rotated.map(({ host, respPort }) => `${host}:${respPort}`),
      { timeoutMs: LIBRARY_TIMEOUT_MS },
    );
    this.#libraries.push(client);
    return client;
  }

  chance(probability: number): boolean {
    return this.#world.random.chance(probability);
  }

  pickNode(): number {
    return this.#world.random.below(this.#addresses.length);
  }

  /** Sends one command to one node. */
  sendTo(node: number, levels: ClientLevels, words: readonly string[], done: (answer: Answer) => void): void {
    const key = `${node} ${levels.readLevel ?? ""} ${levels.writeLevel ?? ""}`;
    const connection = this.#takeIdle(key) ?? this.#connect(node, levels);
    this.open += 1;
    connection.send(words, (answer) => {
      this.#putIdle(key, connection);
      this.#end(words, answer, done);
    });
  }

  /** The same, behind all that were sent this way before. */
  pipeline(node: number, words: readonly string[], done: (answer: Answer) => void): void {
    let connection = this.#pipelines.get(node);
    if (connection === undefined || connection.isClosed) {
      connection = this.#connect(node, {});
      this.#pipelines.set(node, connection);
    }
    this.open += 1;
    connection.send(words, (answer) => this.#end(words, answer, done));
  }

  #connect(node: number, { readLevel, writeLevel }: ClientLevels): Connection {
    const connection = new Connection(this.#addresses[node], () => this.#connections.delete(connection));
    this.#connections.add(connection);
    const onLevel = (answer: Answer) => {
      if (isKnown(answer)) return;
      // At another level than it was opened for, it must not be used.
      connection.close();
    };
    if (readLevel !== undefined) connection.send(["CONSISTENCY", "READ", readLevel], onLevel);
    if (writeLevel !== undefined) connection.send(["CONSISTENCY", "WRITE", writeLevel], onLevel);
    return connection;
  }

  #takeIdle(key: string): Connection | undefined {
    const idle = this.#idle.get(key) ?? [];
    let connection = idle.pop();
    while (connection?.isClosed === true) connection = idle.pop();
    return connection;
  }

  #putIdle(key: string, connection: Connection): void {
    if (connection.isClosed) return;
    const idle = this.#idle.get(key) ?? [];
    this.#idle.set(key, idle);
    if (idle.length < IDLE_CONNECTIONS_MAX) idle.push(connection);
    else connection.close();
  }

  /** Sends one command through the library. */
  request(
    client: Client,
    words: readonly string[],
    { readLevel, writeLevel }: ClientLevels,
    done: (answer: Answer) => void,
  ): void {
    const options = {
      ...(readLevel === undefined ? {} : { readConsistency: readLevel }),
      ...(writeLevel === undefined ? {} : { writeConsistency: writeLevel }),
    };
    const finish = (answer: Answer) => this.#end(words, answer, done);
    this.open += 1;
    client.request(words, options).then((reply) => finish(toPlain(reply)), finish);
  }

  #end(words: readonly string[], answer: Answer, done: (answer: Answer) => void): void {
    this.open -= 1;
    if (isKnown(answer)) this.tally.answered += 1;
    else if (isRefused(answer)) this.tally.refused += 1;
    else this.tally.unknown += 1;
    if (answer instanceof MinikeyError && NEVER.has(answer.code)) {
      this.#onNever(`${words.join(" ")} was answered with ${answer.code}: ${answer.message}`);
    }
    // Not in the stack of the socket: what a workload throws is the world's to handle.
    this.#world.schedule(0, () => done(answer));
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#libraries.map(async (client) => await client.close()));
  }
}

class LibraryClient implements LoadClient {
  readonly #clients: Clients;
  readonly #client: Client;
  readonly #levels: ClientLevels;

  constructor(clients: Clients, client: Client, levels: ClientLevels) {
    this.#clients = clients;
    this.#client = client;
    this.#levels = levels;
  }

  send(words: readonly string[], done: (answer: Answer) => void): void {
    this.#clients.request(this.#client, words, this.#levels, done);
  }
}

class PlainClient implements LoadClient {
  readonly #clients: Clients;
  readonly #levels: ClientLevels;
  readonly #wanderlust: number;
  #node: number;

  constructor(clients: Clients, levels: ClientLevels, wanderlust: number) {
    this.#clients = clients;
    this.#levels = levels;
    this.#wanderlust = wanderlust;
    this.#node = clients.pickNode();
  }

  send(words: readonly string[], done: (answer: Answer) => void): void {
    if (this.#clients.chance(this.#wanderlust)) this.#node = this.#clients.pickNode();
    this.#clients.sendTo(this.#node, this.#levels, words, (answer) => {
      const isNodeAtFault =
        answer === undefined || (answer instanceof Error && !(answer instanceof MinikeyError));
      if (isNodeAtFault) this.#node = this.#clients.pickNode();
      done(answer);
    });
  }
}
