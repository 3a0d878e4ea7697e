/**
 * Simulated TCP between clients and the RESP servers of nodes. Connections are refused while a node is down, or not
 * even that; they break at any moment, on both sides or on one, also when a reply is on its way; they stand still for
 * a while in one direction or in both, or for good. What a client had sent before it left may arrive much later.
 */
import type { Link, LinkEvents } from "../../src/client/world.js";
import { asBytes, type Bytes } from "../../src/core/bytes.js";
import { crc32c } from "../../src/core/crc32c.js";
import type { ClientSocket } from "../../src/server/resp/connection.js";
import type { Connections } from "../../src/server/resp/connections.js";
import type { SimNode } from "../cluster/cluster.js";
import type { SeededRandom } from "../world/random.js";
import type { SimProcess, World } from "../world/world.js";
import { Pipe, type PipeSettings } from "./pipe.js";

/** What becomes of connections, in shares of them. */
interface Weather {
  readonly resets: number;
  readonly stalls: number;
  /** Of the writes of a server: the connection breaks with them. */
  readonly lostReplies: number;
  /** About how long after its start a connection is hit. */
  readonly afterMs: number;
  readonly pipe: PipeSettings;
}

const STALL_MS_MAX = 6_000;
/** Of stalls: for good. */
const FOREVER_SHARE = 0.2;
/** Kind of event in the digest. */
const CHUNK = 13;

export class SimTcp {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #open = new Set<SimConnection>();
  #weather: Weather;
  #count = 0;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork();
    const random = this.#random;
    this.#weather = {
      resets: random.pick([0, 0.1, 0.5, 0.9]),
      stalls: random.pick([0, 0, 0.1, 0.4]),
      lostReplies: random.pick([0, 0.005, 0.05]),
      afterMs: random.pick([100, 500, 2_000]),
      pipe: {
        windowBytes: random.pick([512, 4_096, 65_536]),
        cutShare: random.pick([0, 0.05, 0.5]),
        resendMs: 200,
      },
    };
  }

  /** Connects a process to a node, in the background. */
  connect(client: SimProcess, sim: SimNode, events: LinkEvents): Link {
    this.#count += 1;
    const { resets, stalls, afterMs, pipe } = this.#weather;
    const random = this.#random;
    const connection = new SimConnection({
      number: this.#count,
      world: this.#world,
      random,
      settings: pipe,
      client,
      sim,
      events,
      losesReply: () => random.chance(this.#weather.lostReplies),
      onClosed: () => this.#open.delete(connection),
    });
    this.#open.add(connection);
    if (random.chance(resets)) this.#later(2 * afterMs * random.unit(), () => connection.reset());
    if (random.chance(stalls)) this.#later(2 * afterMs * random.unit(), () => this.#stall(connection));
    return connection;
  }

  #stall(connection: SimConnection): void {
    connection.stall(this.#random.pick(["up", "down", "both"]));
    if (this.#random.chance(FOREVER_SHARE)) return;
    this.#later(STALL_MS_MAX * this.#random.unit() ** 2, () => connection.flow());
  }

  /** Only while there are faults. */
  #later(delayMs: number, run: () => void): void {
    const before = this.#weather;
    this.#world.schedule(delayMs, () => {
      if (this.#weather === before) run();
    });
  }

  /** From now on connections do what they should. */
  heal(): void {
    this.#weather = { ...this.#weather, resets: 0, stalls: 0, lostReplies: 0 };
    for (const connection of this.#open) connection.flow();
  }
}

interface ConnectionSettings {
  readonly number: number;
  readonly world: World;
  readonly random: SeededRandom;
  readonly settings: PipeSettings;
  readonly client: SimProcess;
  readonly sim: SimNode;
  readonly events: LinkEvents;
  losesReply(): boolean;
  onClosed(): void;
}

const WAY_MS = 0.5;
/** A node that is down: nobody says so. */
const UNHEARD_SHARE = 0.3;
/** Of connections whose client leaves: what it had sent is dropped, and the server told … */
const ABORT_SHARE = 0.2;
/** … or not told. */
const VANISH_SHARE = 0.1;
/** Of resets: only the client hears of it. */
const ONE_SIDED_SHARE = 0.2;
/** When a whole machine is gone, the client is told by the one that comes after it. */
const MACHINE_BACK_MS = 8_000;

type ServerEvent = "end" | "drain" | "close" | "error";

/** The client's end is the `Link`, the server's a socket. */
class SimConnection implements Link {
  readonly #settings: ConnectionSettings;
  /** To the node … */
  readonly #up: Pipe;
  /** … and from it. */
  readonly #down: Pipe;
  #hasClient = true;
  #server: SimProcess | undefined;
  #leaveServer: () => void = () => undefined;
  #isServerEnding = false;
  #hasClientEnded = false;
  #onInput: (chunk: Bytes) => void = () => undefined;
  readonly #handlers = new Map<ServerEvent, (error: Error) => void>();

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    const { world, random } = settings;
    this.#up = new Pipe(world, random, settings.settings, {
      inReader: (run) => this.#inServer(run),
      onChunk: (chunk) => {
        this.#note("→", chunk);
        this.#onInput(chunk);
      },
      onEnd: () => this.#onClientEnded(),
      onDrain: () => this.#inClientSoon(() => settings.events.onDrain()),
    });
    this.#down = new Pipe(world, random, settings.settings, {
      inReader: (run) => this.#inClient(run),
      onChunk: (chunk) => {
        this.#note("←", chunk);
        settings.events.onData(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      },
      onEnd: () => this.#loseClient("it closed the connection"),
      onDrain: () => this.#inServerSoon(() => this.#emit("drain")),
    });
    this.#onWay(() => this.#onArrived());
  }

  #note(direction: "→" | "←", chunk: Bytes): void {
    const { number, world, sim } = this.#settings;
    world.trace.note(CHUNK, direction === "→" ? number : -number, crc32c(chunk));
    if (world.trace.isWritten) this.#say(`${direction} ${sim.id}  ${JSON.stringify(chunk.latin1Slice())}`);
  }

  #say(text: string): void {
    this.#settings.world.trace.say("tcp", `${this.#settings.number} ${text}`);
  }

  #tell(text: string): void {
    this.#settings.world.trace.tell("tcp", `${this.#settings.number} ${text}`);
  }

  #onWay(run: () => void): void {
    this.#settings.world.schedule(WAY_MS * this.#settings.random.unit(), run);
  }

  // --- Beginning ---

  #onArrived(): void {
    const { sim, random, events } = this.#settings;
    const { server, process } = sim;
    if (!this.#hasClient) return;
    if (server === undefined || process === undefined) {
      if (random.chance(UNHEARD_SHARE)) this.#tell(`nobody hears at ${sim.id}`);
      else this.#onWay(() => this.#inClient(() => this.#loseClient("connection refused")));
      return;
    }
    this.#server = process;
    this.#leaveServer = process.whenEnded(() => this.#onServerDied());
    // The system takes the connection, also while the process stands still.
    this.#inServer(() => this.#accept(server));
    this.#onWay(() => {
      this.#inClient(() => {
        if (!this.#hasClient) return;
        this.#tell(`connected to ${sim.id}`);
        events.onConnected();
        this.#down.resume();
      });
    });
  }

  #accept(server: Connections): void {
    const { number, sim } = this.#settings;
    const isOpen = server.tryOpen(
      { remote: `client:${number}`, local: `${sim.id}:6380` },
      (buffer, start, onInput) => {
        this.#onInput = (chunk) => {
          for (let at = 0; at < chunk.length; ) {
            const sizeBytes = chunk.copy(buffer, start, at);
            onInput(buffer, start, start + sizeBytes);
            at += sizeBytes;
          }
        };
        return this.#makeSocket();
      },
    );
    if (!isOpen) this.reset();
  }

  // --- The client's end ---

  write(bytes: Buffer): boolean {
    this.#up.write(asBytes(bytes));
    return this.#up.unsentBytes === 0;
  }

  destroy(): void {
    if (!this.#hasClient) return;
    const { random } = this.#settings;
    const choice = random.unit();
    this.#hasClient = false;
    this.#down.cut();
    if (choice < ABORT_SHARE) this.#onWay(() => this.#inServer(() => this.#resetServer()));
    if (choice < ABORT_SHARE + VANISH_SHARE) this.#up.cut();
    else this.#up.abandon();
    this.#closeIfOver();
  }

  #inClient(run: () => void): void {
    this.#settings.client.deliver(() => {
      if (this.#hasClient) run();
    });
  }

  #inClientSoon(run: () => void): void {
    this.#settings.world.schedule(0, () => this.#inClient(run));
  }

  #loseClient(why: string): void {
    if (!this.#hasClient) return;
    this.#hasClient = false;
    this.#tell(`lost: ${why}`);
    this.#down.cut();
    this.#up.abandon();
    this.#settings.events.onLost(why);
    this.#closeIfOver();
  }

  // --- The server's end ---

  #makeSocket(): ClientSocket {
    const isWritable = () => this.#server !== undefined && !this.#isServerEnding;
    const down = this.#down;
    return {
      get writable() {
        return isWritable();
      },
      get writableLength() {
        return down.unsentBytes;
      },
      write: (bytes) => this.#writeReply(bytes),
      end: (onSent) => this.#endServer(onSent),
      pause: () => this.#up.pause(),
      resume: () => this.#up.resume(),
      destroy: () => this.#destroyServer(),
      on: (event: ServerEvent, handler: (error: Error) => void) => this.#handlers.set(event, handler),
    };
  }

  #inServer(run: () => void): void {
    const server = this.#server;
    server?.deliver(() => {
      if (this.#server === server) run();
    });
  }

  #inServerSoon(run: () => void): void {
    this.#settings.world.schedule(0, () => this.#inServer(run));
  }

  #emit(event: ServerEvent, error = new Error("no error")): void {
    this.#handlers.get(event)?.(error);
  }

  #writeReply(bytes: Bytes): void {
    if (!this.#hasClient) this.#onWay(() => this.#inServer(() => this.#resetServer()));
    this.#down.write(bytes);
    if (this.#settings.losesReply()) this.reset();
  }

  #endServer(onSent: () => void): void {
    if (this.#isServerEnding) return;
    this.#isServerEnding = true;
    if (!this.#hasClient) this.#onWay(() => this.#inServer(() => this.#resetServer()));
    this.#down.end(() => this.#inServerSoon(onSent));
    if (this.#hasClientEnded) this.#inServerSoon(() => this.#closeServer());
  }

  #onClientEnded(): void {
    this.#hasClientEnded = true;
    this.#emit("end");
    if (this.#isServerEnding) this.#inServerSoon(() => this.#closeServer());
  }

  #destroyServer(): void {
    const isAborted = this.#up.hasUnread;
    this.#isServerEnding = true;
    this.#up.cut();
    if (isAborted) this.#resetClient();
    else this.#down.abandon();
    this.#inServerSoon(() => this.#closeServer());
  }

  #resetClient(): void {
    this.#down.cut();
    this.#onWay(() => this.#inClient(() => this.#loseClient("connection reset")));
  }

  #resetServer(): void {
    this.#up.cut();
    this.#emit("error", new Error("read ECONNRESET"));
    this.#closeServer();
  }

  #closeServer(): void {
    this.#leaveServer();
    this.#server = undefined;
    this.#up.cut();
    this.#emit("close");
    this.#closeIfOver();
  }

  #onServerDied(): void {
    const { random, world } = this.#settings;
    this.#server = undefined;
    this.#up.cut();
    const choice = random.unit();
    if (choice < 0.5) this.#down.abandon();
    else if (choice < 0.75) this.#resetClient();
    else world.schedule(MACHINE_BACK_MS * random.unit(), () => this.#resetClient());
  }

  #closeIfOver(): void {
    if (!this.#hasClient && this.#server === undefined) this.#settings.onClosed();
  }

  // --- Faults ---

  reset(): void {
    if (!this.#hasClient || this.#server === undefined) return;
    this.#tell("is reset");
    this.#up.cut();
    this.#resetClient();
    if (this.#settings.random.chance(ONE_SIDED_SHARE)) return;
    this.#onWay(() => this.#inServer(() => this.#resetServer()));
  }

  stall(direction: "up" | "down" | "both"): void {
    this.#tell(`stands still: ${direction}`);
    if (direction !== "down") this.#up.stall();
    if (direction !== "up") this.#down.stall();
  }

  flow(): void {
    this.#up.flow();
    this.#down.flow();
  }
}
