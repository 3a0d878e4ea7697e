/**
 * Replies as the bytes that a server sent, RESP2 and RESP3, one at a time: for comparing two servers byte for
 * byte. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
import { connect, type Socket } from "node:net";

interface Waiting {
  readonly resolve: (reply: Buffer) => void;
  readonly reject: (error: Error) => void;
}

const REPLY_TIMEOUT_MS = 20_000;

/** Where the reply that begins at `start` ends; −1 when it is not all there. */
function replyEnd(bytes: Buffer, start: number): number {
  const line = bytes.indexOf("\r\n", start);
  if (line === -1) return -1;
  const type = String.fromCharCode(bytes[start]);
  const after = line + 2;
  if ("+-:,#_(".includes(type)) return after;
  const count = Number(bytes.toString("latin1", start + 1, line));
  if ("$=!".includes(type)) {
    const end = count < 0 ? after : after + count + 2;
    return end <= bytes.length ? end : -1;
  }
  if (!"*~>%".includes(type)) throw new Error(`not RESP: ${bytes.toString("latin1", start, start + 40)}`);
  let at = after;
  for (let left = type === "%" ? 2 * count : count; left > 0; left -= 1) {
    at = replyEnd(bytes, at);
    if (at === -1) return -1;
  }
  return at;
}

/** A connection that sends bytes as told and hands out replies in order. */
export class RawConnection {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #waiting: Waiting[] = [];
  #closed: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      this.#handOut();
    });
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the server closed the connection")));
  }

  static open(port: number, host = "127.0.0.1"): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true }, () => {
        socket.off("error", reject);
        resolve(new RawConnection(socket));
      });
      socket.once("error", reject);
    });
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next reply's bytes. Rejects when the connection ends or nothing comes. */
  reply(): Promise<Buffer> {
    const promise = new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no reply within ${REPLY_TIMEOUT_MS} ms`)),
        REPLY_TIMEOUT_MS,
      );
      this.#waiting.push({
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
    this.#handOut();
    return promise;
  }

  async call(...words: (string | Buffer)[]): Promise<Buffer> {
    this.send(encodeRequest(words));
    return await this.reply();
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    if (this.#closed === undefined)
      await new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #handOut(): void {
    while (this.#waiting.length > 0 && this.#bytes.length > 0) {
      const end = replyEnd(this.#bytes, 0);
      if (end === -1) break;
      this.#waiting.shift()?.resolve(this.#bytes.subarray(0, end));
      this.#bytes = this.#bytes.subarray(end);
    }
    if (this.#closed !== undefined) this.#end(this.#closed);
  }

  #end(error: Error): void {
    this.#closed ??= error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#closed);
  }
}

/** A request as an array of bulk strings. */
export function encodeRequest(words: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** A request as a line; every word in quotes, with escapes. */
export function encodeInline(words: readonly (string | Buffer)[]): Buffer {
  const quoted = words.map((word) => {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    let text = '"';
    for (const byte of bytes) text += `\\x${byte.toString(16).padStart(2, "0")}`;
    return `${text}"`;
  });
  return Buffer.from(`${quoted.join(" ")}\r\n`);
}
