/**
 * The library in the simulator: the product's own client (connections, retries, changes of node, sessions) and RESP
 * servers, over simulated TCP. Its programs are processes, each with a client, a clock of its own that is wrong, and
 * a system that sometimes lets it stand still.
 */
import { Client } from "../../src/client/client.js";
import { type ConnectOptions, openChannel } from "../../src/client/connect.js";
import { requestOf } from "../../src/client/request.js";
import type { Channel } from "../../src/client/wire.js";
import { MinikeyError } from "../../src/core/errors.js";
import { keyspaceId, nodeId } from "../../src/core/ids.js";
import { type Answer, type ClientLevels, isKnown } from "../cluster/client.js";
import { RESP_PORT, type SimCluster } from "../cluster/cluster.js";
import type { LoadClient } from "../workloads/workload.js";
import type { SeededRandom } from "../world/random.js";
import { SimProcess, type World } from "../world/world.js";
import { plainOf } from "./plain.js";
import { SimTcp } from "./tcp.js";

const PROGRAMS = 4;
const SKEW_MS_MAX = 5_000;
const PAUSE_MS_MAX = 6_000;
/** From one look at whether a program shall stand still to the next. */
const PAUSE_EVERY_MS = 1_000;
/** Longer than any command takes of messages between nodes, one after the other. */
const TRIPS_MAX = 16;
/** By so much a call may miss its deadline: the library looks every 25 ms. */
const LATE_MS_MAX = 100;

export class Library {
  readonly #cluster: SimCluster;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #tcp: SimTcp;
  readonly #mayPause: boolean;
  readonly #onBroken: (message: string) => void;
  readonly programs: readonly Program[];
  #isHealed = false;

  /** `onBroken` is told of promises of the library that are broken, whoever calls it. */
  constructor(cluster: SimCluster, onBroken: (message: string) => void) {
    this.#cluster = cluster;
    this.#world = cluster.world;
    this.#onBroken = onBroken;
    this.#random = this.#world.random.fork();
    this.#tcp = new SimTcp(this.#world);
    this.#mayPause = this.#random.chance(0.3);
    this.programs = Array.from({ length: PROGRAMS }, (_, i) => this.#startProgram(`program ${i + 1}`));
  }

  #startProgram(name: string): Program {
    const random = this.#random;
    const process = new SimProcess(this.#world, random.below(2 * SKEW_MS_MAX) - SKEW_MS_MAX);
    const options = {
      timeoutMs: random.pick([800, 3_000, 10_000]),
      connectTimeoutMs: random.pick([200, 2_000]),
      stallMs: random.pick([300, 1_000, 4_000]) + TRIPS_MAX * this.#cluster.distanceMs,
      session: random.chance(0.85),
    };
    const nodes = random.shuffled(this.#cluster.nodes.map(({ id }) => `${id}:${RESP_PORT}`));
    const addresses = nodes.slice(0, 1 + random.below(2 * nodes.length));
    const channel = openChannel(addresses, options, {
      clock: process.clock,
      random: random.fork(),
      afterTurn: (run) => process.later(0, run),
      connect: ({ host }, events) =>
        this.#tcp.connect(process, this.#cluster.nodeNamed(nodeId(host)), events),
    });
    const program = new Program({
      name,
      process,
      options,
      channel,
      cluster: this.#cluster,
      onBroken: this.#onBroken,
    });
    this.#world.trace.tell(name, `uses ${addresses.join(",")} ${JSON.stringify(options)}`);
    if (this.#mayPause) this.#pauseSometimes(program);
    return program;
  }

  #pauseSometimes(program: Program): void {
    this.#world.schedule(2 * PAUSE_EVERY_MS * this.#random.unit(), () => {
      if (this.#isHealed) return;
      if (this.#random.chance(0.2)) {
        program.pause();
        this.#world.schedule(PAUSE_MS_MAX * this.#random.unit() ** 2, () => program.resume());
      }
      this.#pauseSometimes(program);
    });
  }

  /** A client for commands in words, which goes on in another program as often as it wanders. */
  newClient(levels: ClientLevels = {}, wanderlust = 0.1): LoadClient {
    let program = this.#random.pick(this.programs);
    return {
      send: (words, done) => {
        if (this.#random.chance(wanderlust)) program = this.#random.pick(this.programs);
        program.send(words, levels, done);
      },
    };
  }

  /** No more faults: programs run, connections do what they should. */
  heal(): void {
    this.#isHealed = true;
    this.#tcp.heal();
    for (const program of this.programs) program.resume();
  }
}

interface ProgramSettings {
  readonly name: string;
  readonly process: SimProcess;
  readonly options: ConnectOptions & { readonly timeoutMs: number };
  readonly channel: Channel;
  readonly cluster: SimCluster;
  readonly onBroken: (message: string) => void;
}

/** A process with a client. */
export class Program {
  readonly #settings: ProgramSettings;
  readonly #client: Client;
  readonly #byKeyspace = new Map<number, Channel>();
  #pauses = 0;

  constructor(settings: ProgramSettings) {
    const { channel, process } = settings;
    this.#settings = settings;
    this.#client = new Client(channel, process.clock);
    this.#byKeyspace.set(keyspaceId(0), channel);
  }

  /** Whether its writes carry numbers, and so may be sent again. */
  get hasSessions(): boolean {
    return this.#settings.options.session === true;
  }

  pause(): void {
    this.#pauses += 1;
    this.#settings.process.pause();
    this.#tell("stands still");
  }

  resume(): void {
    if (!this.#settings.process.isPaused) return;
    this.#settings.process.resume();
    this.#tell("goes on");
  }

  /** A command in words; the answer in plain values. */
  send(words: readonly string[], levels: ClientLevels, done: (answer: Answer) => void): void {
    const { keyspace = keyspaceId(0), readLevel, writeLevel } = levels;
    const channel = this.#channelOf(keyspace);
    const ask = async () => plainOf(await requestOf(channel, words, { readLevel, writeLevel }));
    this.#run(words.join(" "), words[0], ask, done);
  }

  #channelOf(keyspace: number): Channel {
    const known = this.#byKeyspace.get(keyspace);
    if (known !== undefined) return known;
    const channel = this.#settings.channel.forKeyspace(keyspace);
    this.#byKeyspace.set(keyspace, channel);
    return channel;
  }

  /**
   * Calls a method of the library.
   * @param command for the books: what it comes down to
   */
  call<T>(
    text: string,
    command: string,
    method: (client: Client) => Promise<T>,
    done: (answer: T | MinikeyError) => void,
  ): void {
    this.#run(text, command, () => method(this.#client), done);
  }

  /** `done` is called once, in any case. */
  #run<T>(
    text: string,
    command: string,
    ask: () => Promise<T>,
    done: (answer: T | MinikeyError) => void,
  ): void {
    const { process, cluster } = this.#settings;
    const { submissions } = cluster;
    submissions.waiting += 1;
    this.#tell(`→ ${text}`);
    process.deliver(() => {
      const startMs = process.clock.monotonicMs();
      const pausesBefore = this.#pauses;
      const finish = (answer: T | MinikeyError) => {
        submissions.waiting -= 1;
        if (isKnown(answer)) submissions.countAnswered(command);
        this.#tell(
          `← ${text}: ${answer instanceof Error ? `${answer.code} ${answer.message}` : String(answer)}`,
        );
        if (this.#pauses === pausesBefore) this.#expectInTime(text, process.clock.monotonicMs() - startMs);
        done(answer);
      };
      ask().then(finish, (error: unknown) => {
        if (error instanceof MinikeyError) finish(error);
        else this.#settings.onBroken(`${text}: ${error instanceof Error ? error.stack : String(error)}`);
      });
    });
  }

  #expectInTime(text: string, tookMs: number): void {
    const { timeoutMs } = this.#settings.options;
    if (tookMs <= timeoutMs + LATE_MS_MAX) return;
    this.#settings.onBroken(`answered after ${tookMs.toFixed(0)} of ${timeoutMs} ms: ${text}`);
  }

  #tell(text: string): void {
    this.#settings.cluster.world.trace.tell(this.#settings.name, text);
  }
}
