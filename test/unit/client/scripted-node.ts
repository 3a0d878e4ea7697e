/**
 * A node as the client's tests need it: a real socket that parses commands and answers as its script says, so
 * that a test can drop a connection, stay silent or refuse at an exact moment.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { ReplyParser } from "../../../src/client/reply-parser.js";

/** Drops the connection at once. */
export const HANG_UP = Symbol("hang up");
/** Never answers, and so nothing after it on that connection either. */
export const SILENCE: Promise<string> = new Promise(() => {});

/** What to do with one command: a raw RESP reply, now or later; replies keep the order of commands. */
export type Answer = string | typeof HANG_UP | Promise<string>;

/** What a client says first, and the answers. */
const GREETINGS: readonly (readonly [string, string])[] = [
  ["HELLO", "%0\r\n"],
  ["CONSISTENCY READ", "$12\r\nlinearizable\r\n"],
  ["CONSISTENCY WRITE", "$6\r\nquorum\r\n"],
];

export class ScriptedNode {
  /** Every command received, words joined by spaces, without the greeting. */
  readonly received: string[] = [];
  /** Commands of each chunk that arrived: what the client sent in one write. */
  readonly chunks: string[][] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answer: (command: string, node: ScriptedNode) => Answer;

  private constructor(answer: (command: string, node: ScriptedNode) => Answer) {
    this.#answer = answer;
    this.#server = createServer((socket) => this.#onConnection(socket));
  }

  static async start(
    answer: (command: string, node: ScriptedNode) => Answer,
    port = 0,
  ): Promise<ScriptedNode> {
    const node = new ScriptedNode(answer);
    node.#server.listen(port, "127.0.0.1");
    await once(node.#server, "listening");
    return node;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Drops every connection; new ones are still taken. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.dropConnections();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  #onConnection(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    let chunk: string[] = [];
    let answered: Promise<unknown> | undefined;
    // A command is an array of bulk strings: a reply, to the parser.
    const parser = new ReplyParser((reply) => {
      const command = (reply as readonly Buffer[]).map(String).join(" ");
      const greeting = GREETINGS.find(
        ([name]) => command.startsWith(name) && command.length <= name.length + 2,
      );
      if (greeting === undefined) {
        this.received.push(command);
        chunk.push(command);
      }
      if (socket.destroyed) return;
      const answer = greeting?.[1] ?? this.#answer(command, this);
      if (answer === HANG_UP) {
        socket.destroy();
      } else if (typeof answer === "string" && answered === undefined) {
        socket.write(answer);
      } else {
        const before = answered;
        answered = (async (): Promise<void> => {
          await before;
          const reply = await answer;
          if (!socket.destroyed) socket.write(reply);
        })();
      }
    });
    socket.on("data", (data: Buffer) => {
      chunk = [];
      parser.push(data);
      if (chunk.length > 0) this.chunks.push(chunk);
    });
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => this.#sockets.delete(socket));
  }
}

export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** A port that refuses connections: it was free a moment ago. */
export async function refusedAddress(): Promise<string> {
  const node = await ScriptedNode.start(() => SILENCE);
  const { address } = node;
  await node.stop();
  return address;
}
