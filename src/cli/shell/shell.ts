/**
 * The shell without its terminal: one line in, what to print out.
 *
 * What a user sets on the connection (keyspace, consistency) is the shell's, not the socket's, so it survives
 * the node that the shell was connected to.
 */

import { openChannel } from "../../client/connect.js";
import { requestOf } from "../../client/request.js";
import { expectArray, expectText } from "../../client/values.js";
import {
  type Argument,
  type Channel,
  READ_LEVELS,
  type ReadLevel,
  type WireReply,
  WRITE_LEVELS,
  type WriteLevel,
} from "../../client/wire.js";
import { OK } from "../../commands/reply.js";
import { MinikeyError } from "../../core/errors.js";
import { openReadyChannel, splitAddresses } from "../connection.js";
import { type Asked, askedBy } from "./asked-keys.js";
import { type GuardedReply, guardedRequest, replyOf } from "./guarded-requests.js";
import { helpText } from "./help.js";
import { runCompute, runGet, runQuery } from "./lookups.js";
import { ReplicaReport } from "./replica-report.js";
import type { ShellResult } from "./result.js";
import { ServerWatch } from "./server-watch.js";
import { singleKeyOf } from "./single-key.js";
import { splitName, splitWords } from "./words.js";

export interface ShellOptions {
  readonly connect: string;
  /** One line a replica for commands with one key. */
  readonly verbose: boolean;
  readonly timeoutMs: number;
  /** Watch the servers, and say when answers are in doubt; `k` undefined for what the keyspace can lose. */
  readonly watch?: { readonly k: number | undefined };
}

const COMPLETION_TIMEOUT_MS = 1_000;
const NOTHING: ShellResult = { kind: "nothing" };

export class Shell {
  readonly #options: ShellOptions;
  #channel: Channel;
  #keyspace: string | undefined;
  #readLevel: ReadLevel | undefined;
  #writeLevel: WriteLevel | undefined;
  #replicas = new ReplicaReport(undefined);
  #watch: ServerWatch | undefined;

  private constructor(options: ShellOptions, channel: Channel) {
    this.#options = options;
    this.#channel = channel;
  }

  /** Fails with one line when no node answers. */
  static async open(options: ShellOptions): Promise<Shell> {
    const channel = await openReadyChannel(options.connect, { timeoutMs: options.timeoutMs });
    const shell = new Shell(options, channel);
    try {
      shell.#watch = await shell.#openWatch(undefined);
      return shell;
    } catch (error) {
      await shell.close();
      throw error;
    }
  }

  /** The servers that are watched; undefined when none are. */
  get watch(): ServerWatch | undefined {
    return this.#watch;
  }

  /** The keyspace selected, for the prompt; undefined for the default. */
  get keyspace(): string | undefined {
    return this.#keyspace;
  }

  /** Carries one line out. Errors of commands are replies; nothing is thrown for what a user may type. */
  async execute(line: string): Promise<ShellResult> {
    try {
      const { name, rest } = splitName(line);
      if (name === "QUERY") return await runQuery(this.#ask, rest);
      if (name === "COMPUTE") return await runCompute(this.#ask, rest);
      return await this.#executeWords(name, line);
    } catch (error) {
      if (error instanceof MinikeyError) return { kind: "reply", reply: error };
      throw error;
    }
  }

  /** Up to `limit` key names with this prefix, in order. */
  async keysWithPrefix(prefix: string, limit: number): Promise<string[]> {
    const args = ["KV.LIST", prefix, "", limit];
    const [keys] = expectArray(await requestOf(this.#channel, args, { timeoutMs: COMPLETION_TIMEOUT_MS }));
    return expectArray(keys).map((key) => expectText(key));
  }

  /** JSON text of what is at a path of QUERY; undefined when nothing is, or no document. */
  async documentAt(path: string): Promise<string | undefined> {
    const words = ["KV.QUERY", path];
    const reply = await replyOf(this.#channel, words, { timeoutMs: COMPLETION_TIMEOUT_MS });
    if (reply instanceof MinikeyError) return undefined;
    const [, , type, value] = expectArray(reply);
    return expectText(type) === "json" ? expectText(value) : undefined;
  }

  async close(): Promise<void> {
    await Promise.all([this.#channel.close(), this.#replicas.close(), this.#watch?.close()]);
  }

  readonly #ask = (words: readonly Argument[], asked: Asked): Promise<GuardedReply> =>
    guardedRequest(this.#channel, this.#watch, words, asked, {
      readLevel: this.#readLevel,
      writeLevel: this.#writeLevel,
      timeoutMs: this.#options.timeoutMs,
    });

  async #executeWords(name: string, line: string): Promise<ShellResult> {
    const split = splitWords(line);
    if (split.kind === "unbalanced") {
      throw new MinikeyError("SYNTAX", `unbalanced quotes in the word at column ${split.column}`);
    }
    const { words } = split;
    switch (name) {
      case "":
        return NOTHING;
      case "EXIT":
      case "QUIT":
        return { kind: "exit" };
      case "HELP":
      case "?":
        return { kind: "text", text: helpText(words[1]?.toString()) };
      case "SELECT":
        return { kind: "reply", reply: await this.#select(words) };
      default:
        return await this.#send(name, words);
    }
  }

  async #send(name: string, words: readonly Buffer[]): Promise<ShellResult> {
    const key = this.#options.verbose ? singleKeyOf(words) : undefined;
    if (key?.access === "read") {
      const lines = await this.#replicas.ofRead(this.#channel, key.key, words);
      if (lines.length > 0) return { kind: "text", text: lines.join("\n") };
    }
    if (name === "GET" && words.length === 2) return await runGet(this.#ask, words[1]);
    const { reply, warning } = await this.#ask(words, askedBy(words));
    if (reply instanceof MinikeyError) return { kind: "reply", reply, warning };
    if (name === "CONSISTENCY") this.#noteLevel(words);
    if (name === "RESET") await this.#reset();
    if (key?.access !== "write") return { kind: "reply", reply, warning };
    const lines = await this.#replicas.afterWrite(this.#channel, key.key);
    return lines.length > 0 ? { kind: "text", text: lines.join("\n") } : { kind: "reply", reply };
  }

  /** `CONSISTENCY READ stale` was accepted: it holds from now on, on whatever node. */
  #noteLevel(words: readonly Buffer[]): void {
    const [, direction, level] = words.map((word) => word.toString().toLowerCase());
    if (level === undefined) return;
    if (direction === "read") {
      this.#readLevel = READ_LEVELS.find((one) => one === level);
    } else if (direction === "write") {
      this.#writeLevel = WRITE_LEVELS.find((one) => one === level);
    }
  }

  async #select(words: readonly Buffer[]): Promise<WireReply> {
    if (words.length !== 2) {
      throw new MinikeyError("WRONG_ARITY", "wrong number of arguments for 'select' command");
    }
    await this.#switchTo(words[1].toString());
    return OK;
  }

  async #reset(): Promise<void> {
    this.#readLevel = undefined;
    this.#writeLevel = undefined;
    await this.#switchTo(undefined);
  }

  /** Moves to a channel of the keyspace; stays where it is when there is no such keyspace. */
  async #switchTo(keyspace: string | undefined): Promise<void> {
    const addresses = splitAddresses(this.#options.connect);
    const channel = openChannel(addresses, {
      timeoutMs: this.#options.timeoutMs,
      ...(keyspace === undefined ? {} : { keyspace }),
    });
    let watch: ServerWatch | undefined;
    try {
      await channel.ready();
      watch = await this.#openWatch(keyspace);
    } catch (error) {
      await channel.close();
      throw error;
    }
    await this.close();
    this.#channel = channel;
    this.#replicas = new ReplicaReport(keyspace);
    this.#watch = watch;
    this.#keyspace = keyspace === "0" || keyspace === "default" ? undefined : keyspace;
  }

  async #openWatch(keyspace: string | undefined): Promise<ServerWatch | undefined> {
    const { connect, watch } = this.#options;
    if (watch === undefined) return undefined;
    return await ServerWatch.open({ addresses: splitAddresses(connect), keyspace, k: watch.k });
  }
}
