/** A plain RESP2 connection to one node, which never tries again: what the node did not answer stays unknown. */
import { connect, type Socket } from "node:net";
import type { Answer } from "../../sim/cluster/client.js";
import { ReplyParser } from "../../src/client/reply-parser.js";
import { RequestWriter } from "../../src/client/request-writer.js";
import { toPlain } from "../../src/client/values.js";
import { MinikeyError } from "../../src/core/errors.js";
import type { NodeAddress } from "../machine/network.js";

const CONNECT_TIMEOUT_MS = 1_000;
/** Longer than any command takes on a node that runs. */
export const GIVE_UP_MS = 6_000;

export class Connection {
  readonly #onClosed: () => void;
  readonly #socket: Socket;
  readonly #writer = new RequestWriter();
  readonly #waiting: ((answer: Answer) => void)[] = [];
  #isConnected = false;
  #isClosed = false;
  #timer: NodeJS.Timeout;

  constructor({ host, respPort }: NodeAddress, onClosed: () => void) {
    this.#onClosed = onClosed;
    const parser = new ReplyParser((reply) => {
      const answer = reply instanceof MinikeyError ? reply : toPlain(reply);
      this.#waiting.shift()?.(answer);
    });
    this.#socket = connect({ host, port: respPort, noDelay: true });
    this.#timer = setTimeout(() => this.close(), CONNECT_TIMEOUT_MS);
    this.#socket.once("connect", () => {
      this.#isConnected = true;
      this.#watch();
    });
    this.#socket.on("data", (chunk) => {
      try {
        parser.push(chunk);
      } catch (error) {
        this.#waiting.shift()?.(error);
        this.close();
      }
      this.#watch();
    });
    this.#socket.on("error", () => this.close());
    this.#socket.on("close", () => this.close());
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** `done` gets an error when nothing can have been sent, and undefined when nothing was heard. */
  send(words: readonly string[], done: (answer: Answer) => void): void {
    if (this.#isClosed) {
      done(new Error("the connection is closed"));
      return;
    }
    this.#waiting.push(done);
    this.#writer.write(words);
    this.#socket.write(this.#writer.take());
    if (this.#isConnected && this.#waiting.length === 1) this.#watch();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#onClosed();
    const answer = this.#isConnected ? undefined : new Error("no connection");
    for (const done of this.#waiting.splice(0)) done(answer);
  }

  /** A node that owes an answer and says nothing is given up. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (!this.#isClosed && this.#waiting.length > 0) this.#timer = setTimeout(() => this.close(), GIVE_UP_MS);
  }
}
