/**
 * A small RESP2 client for tests, independent of the product's own code. It never retries and never
 * reconnects: what the server did, and what it did not answer, stays visible.
 *
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
import { connect, type Socket } from "node:net";

/** An error reply. */
export class RespError extends Error {
  /** The first word: `ERR`, `CLUSTERDOWN`, `TIMEOUT` … */
  readonly prefix: string;

  constructor(message: string) {
    super(message);
    this.prefix = message.split(" ", 1)[0] ?? "";
  }
}

/** The connection broke, or the answer did not come in time: whether the command was carried out is unknown. */
export class ConnectionLost extends Error {}

export type RespValue = string | number | null | RespError | RespValue[];

interface Waiting {
  resolve(value: RespValue): void;
  reject(error: Error): void;
}

export interface RespClientOptions {
  readonly connectTimeoutMs?: number;
  /** How long a reply may take; then the connection is given up. */
  readonly replyTimeoutMs?: number;
}

const INCOMPLETE = Symbol("incomplete");

/** Reads replies out of what has arrived; keeps what is incomplete. */
class ReplyReader {
  #bytes: Buffer = Buffer.alloc(0);
  #position = 0;

  push(chunk: Buffer): void {
    const rest = this.#bytes.subarray(this.#position);
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#position = 0;
  }

  /** The next whole reply, or `INCOMPLETE`. */
  next(): RespValue | typeof INCOMPLETE {
    const start = this.#position;
    const value = this.#read();
    if (value === INCOMPLETE) this.#position = start;
    return value;
  }

  #read(): RespValue | typeof INCOMPLETE {
    const lineEnd = this.#bytes.indexOf("\r\n", this.#position);
    if (lineEnd === -1) return INCOMPLETE;
    const type = String.fromCharCode(this.#bytes[this.#position] ?? 0);
    const line = this.#bytes.toString("utf8", this.#position + 1, lineEnd);
    this.#position = lineEnd + 2;
    switch (type) {
      case "+":
        return line;
      case "-":
        return new RespError(line);
      case ":":
        return Number(line);
      case "$":
        return this.#readBulk(Number(line));
      case "*":
        return this.#readArray(Number(line));
      default:
        throw new Error(`not RESP2: ${JSON.stringify(type + line)}`);
    }
  }

  #readBulk(lengthBytes: number): RespValue | typeof INCOMPLETE {
    if (lengthBytes === -1) return null;
    const end = this.#position + lengthBytes;
    if (this.#bytes.length < end + 2) return INCOMPLETE;
    const text = this.#bytes.toString("utf8", this.#position, end);
    this.#position = end + 2;
    return text;
  }

  #readArray(count: number): RespValue | typeof INCOMPLETE {
    if (count === -1) return null;
    const items: RespValue[] = [];
    for (let i = 0; i < count; i += 1) {
      const item = this.#read();
      if (item === INCOMPLETE) return INCOMPLETE;
      items.push(item);
    }
    return items;
  }
}

export class RespClient {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();
  readonly #waiting: Waiting[] = [];
  readonly #replyTimeoutMs: number;
  #closed = false;

  private constructor(socket: Socket, replyTimeoutMs: number) {
    this.#socket = socket;
    this.#replyTimeoutMs = replyTimeoutMs;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (error) => this.#onLost(`connection failed: ${error.message}`));
    socket.on("close", () => this.#onLost("connection closed"));
  }

  /** Rejects with `ConnectionLost` when nobody answers the call. */
  static connect(port: number, options: RespClientOptions = {}): Promise<RespClient> {
    const { connectTimeoutMs = 3000, replyTimeoutMs = 10_000 } = options;
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", timeout: connectTimeoutMs });
      const onFailure = (why: string): void => {
        socket.destroy();
        reject(new ConnectionLost(`could not connect to port ${port}: ${why}`));
      };
      const onError = (error: Error): void => onFailure(error.message);
      const onTimeout = (): void => onFailure("no answer");
      socket.once("error", onError);
      socket.once("timeout", onTimeout);
      socket.once("connect", () => {
        socket.off("error", onError);
        socket.off("timeout", onTimeout);
        socket.setTimeout(0);
        resolve(new RespClient(socket, replyTimeoutMs));
      });
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends one command. An error reply rejects with `RespError`; no reply, with `ConnectionLost`. */
  async call(...args: string[]): Promise<RespValue> {
    const [reply] = await this.#send([args]);
    if (reply instanceof RespError) throw reply;
    return reply ?? null;
  }

  /** Sends commands in one go; error replies stand among the others. */
  pipeline(commands: readonly string[][]): Promise<RespValue[]> {
    return this.#send(commands);
  }

  close(): void {
    this.#socket.destroy();
    this.#onLost("connection closed by the test");
  }

  #send(commands: readonly string[][]): Promise<RespValue[]> {
    if (this.#closed) return Promise.reject(new ConnectionLost("the connection is closed"));
    const timer = setTimeout(() => {
      this.#socket.destroy();
      this.#onLost(`no reply within ${this.#replyTimeoutMs} ms`);
    }, this.#replyTimeoutMs);
    const replies = commands.map(
      () => new Promise<RespValue>((resolve, reject) => this.#waiting.push({ resolve, reject })),
    );
    this.#socket.write(commands.map((command) => encodeCommand(command)).join(""));
    return Promise.all(replies).finally(() => clearTimeout(timer));
  }

  #onData(chunk: Buffer): void {
    this.#reader.push(chunk);
    for (let value = this.#reader.next(); value !== INCOMPLETE; value = this.#reader.next()) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) throw new Error("a reply to nothing");
      waiting.resolve(value);
    }
  }

  #onLost(why: string): void {
    this.#closed = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new ConnectionLost(why));
  }
}

function encodeCommand(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`;
}
