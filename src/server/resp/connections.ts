/**
 * The connections of a RESP server, however they come: shares among them what is worth sharing: the buffer that
 * sockets read into, the writers that replies are collected in, the list of those to be flushed when the turn ends.
 */
import type { Args, CommandSpec } from "../../commands/types.js";
import { allocOwnBytes, type Bytes } from "../../core/bytes.js";
import type { Database } from "../../node/database.js";
import type { CancelTimer, Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import { ByteBudget } from "./byte-budget.js";
import { type ClientSocket, Connection, type ConnectionHost, type ConnectionLimits } from "./connection.js";
import type { LocalReply } from "./local/services.js";
import { LocalCommands } from "./local-commands.js";
import { RespWriter } from "./resp-writer.js";
import { Session } from "./session.js";
import type { OnInput } from "./socket.js";
import { ServerStats } from "./stats.js";

export interface RespLimits {
  readonly valueBytesMax: number;
  readonly clientsMax?: number;
  /** Unsent replies of one client at which it is disconnected. */
  readonly outputBytesMax?: number;
  /** Large commands that arrive at the same time, of all clients together. */
  readonly inputBytesMax?: number;
  /** Requests that the node has not answered at which no more are read. */
  readonly pendingRequestsMax?: number;
}

export interface ConnectionsOptions {
  /** Where clients connect to, as `INFO` and `CLUSTER` tell it. */
  readonly host: string;
  port(): number;
  readonly database: Database;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits: RespLimits;
}

/** The two ends of a connection, as `host:port`. */
export interface Ends {
  readonly remote: string;
  readonly local: string;
}

/**
 * Makes the socket of a new connection, which does not read before `resume`. What it reads goes to `buffer` from
 * `start` on, or into memory of its own, and then to `onInput`.
 */
export type OpenSocket = (buffer: Bytes, start: number, onInput: OnInput) => ClientSocket;

const CLIENTS_MAX = 10_000;
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;
const INPUT_BYTES_MAX = 512 * 1024 * 1024;
const PENDING_REQUESTS_MAX = 65_536;
/** A command may hold several values, but not any number of them. */
const COMMAND_BYTES_MIN = 64 * 1024 * 1024;

const READ_BYTES = 64 * 1024;
/** In front of what is read, for the start of a command that came with the chunk before. */
const ROOM_BYTES = 4 * 1024;

const WRITER_BYTES = 16 * 1024;
const WRITERS_KEPT_MAX = 512;

/** How often a connection that waits for the node to have less to do looks again. */
const OVERLOAD_RETRY_MS = 5;
const SAMPLE_PERIOD_MS = 1_000;
/** How long a client may take to read its last replies when the server stops. */
const LAST_READ_MS = 1_000;

export class Connections implements ConnectionHost {
  readonly database: Database;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly scratch = new RespWriter(WRITER_BYTES);
  readonly #local: LocalCommands;
  readonly #stats = new ServerStats();
  readonly #connections = new Map<number, Connection>();
  readonly #readBuffer: Bytes = allocOwnBytes(ROOM_BYTES + READ_BYTES);
  readonly #clientsMax: number;
  readonly #pendingRequestsMax: number;

  #lastClientId = 0;
  #writers: RespWriter[] = [];
  #flushDue: Connection[] = [];
  #flushSpare: Connection[] = [];
  #cancelRetry: CancelTimer | undefined = undefined;
  #cancelSampling: CancelTimer | undefined = undefined;
  #onAllClosed: (() => void) | undefined = undefined;

  constructor(options: ConnectionsOptions) {
    const { valueBytesMax } = options.limits;
    this.clock = options.clock;
    this.database = options.database;
    this.logger = options.logger;
    this.limits = {
      valueBytesMax,
      commandBytesMax: Math.max(COMMAND_BYTES_MIN, 2 * valueBytesMax),
      outputBytesMax: options.limits.outputBytesMax ?? OUTPUT_BYTES_MAX,
      inputBudget: new ByteBudget(options.limits.inputBytesMax ?? INPUT_BYTES_MAX),
    };
    this.#clientsMax = options.limits.clientsMax ?? CLIENTS_MAX;
    this.#pendingRequestsMax = options.limits.pendingRequestsMax ?? PENDING_REQUESTS_MAX;
    this.#local = new LocalCommands({
      database: this.database,
      clock: this.clock,
      stats: this.#stats,
      clientsMax: this.#clientsMax,
      valueBytesMax,
      host: options.host,
      port: () => options.port(),
      clients: () => this.#connections.values(),
    });
  }

  /** From now on commands are counted by the second. */
  start(): void {
    this.#cancelSampling = this.clock.every(SAMPLE_PERIOD_MS, () => this.#stats.sample(SAMPLE_PERIOD_MS));
  }

  /** Takes no more commands, answers those taken, and ends when all connections have. No more may be opened. */
  async stop(): Promise<void> {
    const allClosed = new Promise<void>((resolve) => {
      this.#onAllClosed = resolve;
    });
    for (const connection of this.#connections.values()) connection.finish();
    if (this.#connections.size === 0) this.#onAllClosed?.();
    const cancel = this.clock.after(LAST_READ_MS, () => this.#closeIdle());
    await allClosed;
    cancel();
    this.#cancelRetry?.();
    this.#cancelSampling?.();
  }

  /** Those that wait only for their client to read. */
  #closeIdle(): void {
    for (const connection of this.#connections.values()) {
      if (connection.pendingCount === 0) connection.close();
    }
    if (this.#connections.size > 0) this.clock.after(LAST_READ_MS, () => this.#closeIdle());
  }

  // --- Connections ---

  /** False, and nothing is opened, when there are as many as may be. */
  tryOpen({ remote, local }: Ends, openSocket: OpenSocket): boolean {
    if (this.#connections.size >= this.#clientsMax) {
      this.#stats.rejectedConnections += 1;
      return false;
    }
    this.#stats.connectionsReceived += 1;
    this.#lastClientId += 1;
    const session = new Session(this.#lastClientId, remote, local, this.clock.monotonicMs());
    const socket = openSocket(this.#readBuffer, ROOM_BYTES, (bytes, start, end) => {
      this.#stats.inputBytes += end - start;
      const roomStart = bytes === this.#readBuffer ? 0 : start;
      connection.onInput(bytes, start, end, roomStart, this.clock.monotonicMs());
    });
    const connection = new Connection(this, socket, session);
    this.#connections.set(session.id, connection);
    socket.resume();
    return true;
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection.session.id);
    if (this.#connections.size === 0) this.#onAllClosed?.();
  }

  // --- For connections ---

  runLocal(connection: Connection, spec: CommandSpec, args: Args): LocalReply {
    return this.#local.run(connection, spec, args);
  }

  onCommand(): void {
    this.#stats.commands += 1;
  }

  onSent(sizeBytes: number): void {
    this.#stats.outputBytes += sizeBytes;
  }

  isOverloaded(): boolean {
    if (this.database.pendingRequests < this.#pendingRequestsMax) return false;
    this.#cancelRetry ??= this.clock.after(OVERLOAD_RETRY_MS, () => this.#retryAll());
    return true;
  }

  #retryAll(): void {
    this.#cancelRetry = undefined;
    for (const connection of this.#connections.values()) connection.flush();
  }

  takeWriter(): RespWriter {
    return this.#writers.pop() ?? new RespWriter(WRITER_BYTES);
  }

  giveWriter(writer: RespWriter): void {
    if (writer.bytes.length > WRITER_BYTES || this.#writers.length >= WRITERS_KEPT_MAX) return;
    writer.clear();
    this.#writers.push(writer);
  }

  flushLater(connection: Connection): void {
    if (this.#flushDue.length === 0) this.clock.atTurnEnd(() => this.#flushAll());
    this.#flushDue.push(connection);
  }

  #flushAll(): void {
    const due = this.#flushDue;
    this.#flushDue = this.#flushSpare;
    for (const connection of due) connection.flush();
    due.length = 0;
    this.#flushSpare = due;
  }
}
