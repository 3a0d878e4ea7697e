/**
 * The shell without its terminal: one line in, what to print out.
 *
 * What a user sets on the connection (keyspace, consistency) is the shell's, not the socket's, so it survives
 * the node that the shell was connected to.
 */

import { openChannel } from "../../client/connect.js";
import { requestOf } from "../../client/request.js";
import { expectArray, expectText } from "../../client/values.js";
import type { Channel, ReadLevel, WireReply, WriteLevel } from "../../client/wire.js";
import { OK } from "../../commands/reply.js";
import { MinikeyError } from "../../core/errors.js";
import { openReadyChannel, splitAddresses } from "../connection.js";
import { helpText } from "./help.js";
import { ReplicaReport } from "./replica-report.js";
import { singleKeyOf } from "./single-key.js";
import { splitWords } from "./words.js";

export interface ShellOptions {
  readonly connect: string;
  /** One line a replica for commands with one key. */
  readonly verbose: boolean;
  readonly timeoutMs: number;
}

export type ShellResult =
  | { readonly kind: "nothing" }
  | { readonly kind: "exit" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reply"; readonly reply: WireReply };

const COMPLETION_PAGES_MAX = 10;
const COMPLETION_TIMEOUT_MS = 1_000;
const NOTHING: ShellResult = { kind: "nothing" };
const READ_LEVELS: ReadonlySet<string> = new Set(["linearizable", "stale", "one", "quorum", "all"]);
const WRITE_LEVELS: ReadonlySet<string> = new Set(["one", "quorum", "all"]);

export class Shell {
  readonly #options: ShellOptions;
  #channel: Channel;
  #keyspace: string | undefined;
  #readLevel: ReadLevel | undefined;
  #writeLevel: WriteLevel | undefined;
  #replicas: ReplicaReport;

  private constructor(options: ShellOptions, channel: Channel) {
    this.#options = options;
    this.#channel = channel;
    this.#replicas = new ReplicaReport(undefined);
  }

  /** Fails with one line when no node answers. */
  static async open(options: ShellOptions): Promise<Shell> {
    return new Shell(options, await openReadyChannel(options.connect, { timeoutMs: options.timeoutMs }));
  }

  /** The keyspace selected, for the prompt; undefined for the default. */
  get keyspace(): string | undefined {
    return this.#keyspace;
  }

  /** Carries one line out. Errors of commands are replies; nothing is thrown for what a user may type. */
  async execute(line: string): Promise<ShellResult> {
    const split = splitWords(line);
    if (split.kind === "unbalanced") {
      const where = `unbalanced quotes in the word at column ${split.column}`;
      return { kind: "reply", reply: new MinikeyError("SYNTAX", where) };
    }
    const { words } = split;
    if (words.length === 0) return NOTHING;
    const name = words[0].toString().toUpperCase();
    try {
      switch (name) {
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
    } catch (error) {
      if (error instanceof MinikeyError) return { kind: "reply", reply: error };
      throw error;
    }
  }

  /** Up to `limit` key names that match a glob pattern; not more pages than a person waits for. */
  async keysMatching(pattern: string, limit: number): Promise<string[]> {
    const found: string[] = [];
    let cursor = "0";
    for (let page = 0; page < COMPLETION_PAGES_MAX && found.length < limit; page += 1) {
      const args = ["SCAN", cursor, "MATCH", pattern, "COUNT", limit];
      const reply = await requestOf(this.#channel, args, { timeoutMs: COMPLETION_TIMEOUT_MS });
      const [next, keys] = expectArray(reply);
      for (const key of expectArray(keys)) found.push(expectText(key));
      cursor = expectText(next);
      if (cursor === "0") break;
    }
    return found.slice(0, limit);
  }

  async close(): Promise<void> {
    await Promise.all([this.#channel.close(), this.#replicas.close()]);
  }

  async #send(name: string, words: readonly Buffer[]): Promise<ShellResult> {
    const key = this.#options.verbose ? singleKeyOf(words) : undefined;
    if (key?.access === "read") {
      const lines = await this.#replicas.ofRead(this.#channel, key.key, words);
      if (lines.length > 0) return { kind: "text", text: lines.join("\n") };
    }
    const levels = { readLevel: this.#readLevel, writeLevel: this.#writeLevel };
    const reply = await requestOf(this.#channel, words, levels);
    if (name === "CONSISTENCY") this.#noteLevel(words);
    if (name === "RESET") await this.#reset();
    if (key?.access !== "write") return { kind: "reply", reply };
    const lines = await this.#replicas.afterWrite(this.#channel, key.key);
    return lines.length > 0 ? { kind: "text", text: lines.join("\n") } : { kind: "reply", reply };
  }

  /** `CONSISTENCY READ stale` was accepted: it holds from now on, on whatever node. */
  #noteLevel(words: readonly Buffer[]): void {
    const [, direction, level] = words.map((word) => word.toString().toLowerCase());
    if (direction === "read") {
      this.#readLevel = READ_LEVELS.has(level) ? (level as ReadLevel) : undefined;
    } else if (direction === "write") {
      this.#writeLevel = WRITE_LEVELS.has(level) ? (level as WriteLevel) : undefined;
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
    try {
      await channel.ready();
    } catch (error) {
      await channel.close();
      throw error;
    }
    await this.close();
    this.#channel = channel;
    this.#replicas = new ReplicaReport(keyspace);
    this.#keyspace = keyspace === "0" || keyspace === "default" ? undefined : keyspace;
  }
}
