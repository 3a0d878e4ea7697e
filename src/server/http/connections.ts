/**
 * The server's open connections: the order of pipelined requests, and an end that does not wait for clients.
 *
 * A client may send requests without waiting for the answers. Only safe ones may run side by side (RFC 9112
 * §9.3.2): a `GET` behind a `PUT` must see it. So a request waits until those before it on its connection are
 * answered, unless it and all of them are safe. Past a bound they are refused at once: the refusals pile up
 * behind the unanswered ones until Node.js stops reading from that client.
 */
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { MinikeyError } from "../../core/errors.js";
import { SAFE_METHODS } from "./errors.js";

interface Connection {
  /** Requests that have started and whose responses are not closed. */
  running: number;
  /** One of them is a write; then it is the only one. */
  writing: boolean;
  readonly waiting: { readonly safe: boolean; readonly response: ServerResponse; readonly run: () => void }[];
}

/** Of one connection: far more than any client that waits for answers now and then. */
const UNANSWERED_MAX = 1000;

export class Connections {
  readonly #open = new Map<Socket, Connection>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#open.set(socket, { running: 0, writing: false, waiting: [] });
      socket.once("close", () => this.#open.delete(socket));
    });
  }

  /**
   * Calls `run` when it is this request's turn: at once, unless requests are pipelined; with `OVERLOADED` when
   * too many of this connection are unanswered.
   */
  begin(
    socket: Socket,
    method: string,
    response: ServerResponse,
    run: (refused?: MinikeyError) => void,
  ): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) {
      run();
      return;
    }
    if (connection.running + connection.waiting.length >= UNANSWERED_MAX) {
      run(new MinikeyError("OVERLOADED", "too many unanswered requests on this connection"));
      return;
    }
    const safe = SAFE_METHODS.has(method);
    response.once("close", () => this.#onClosed(connection, response));
    connection.waiting.push({ safe, response, run });
    if (connection.waiting.length === 1) this.#startNext(connection);
  }

  /** Closes what has no request under way. */
  closeIdle(): void {
    for (const [socket, connection] of this.#open) {
      if (connection.running === 0 && connection.waiting.length === 0) socket.destroy();
    }
  }

  closeAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #startNext(connection: Connection): void {
    for (let next = connection.waiting[0]; next !== undefined; next = connection.waiting[0]) {
      if (connection.writing || (connection.running > 0 && !next.safe)) return;
      connection.waiting.shift();
      connection.running += 1;
      connection.writing = !next.safe;
      next.run();
    }
  }

  #onClosed(connection: Connection, response: ServerResponse): void {
    const at = connection.waiting.findIndex((one) => one.response === response);
    if (at >= 0) {
      connection.waiting.splice(at, 1);
      return;
    }
    connection.running -= 1;
    connection.writing = false;
    this.#startNext(connection);
  }
}
