/**
 * What the driver prints while it works, a line an operation:
 *
 *     Client 0 Node 2 - GET k -> Result v --> Expected v
 *     Client 0 Node 3 - GET k -> Result u --> Expected v (stale)
 *     Client 1 Node 1 - GET k -> Result null --> Expected v or w (stale)
 *     Client 1 Node 3 - GET k -> Error connection refused --> Expected null
 *
 * Null is a key that is not there. A value that could be misread (an empty one, or the word null) is in quotes.
 */
import type { MinikeyError } from "../../core/errors.js";
import { reasonOf } from "../connection.js";
import { quoteText } from "../shell/words.js";
import type { Expected, Value } from "./judge.js";
import type { NodeName } from "./nodes.js";

export class Lines {
  readonly #print: (line: string) => void;
  readonly #note: (line: string) => void;
  readonly #isVerbose: boolean;
  /** Nodes that did not answer when they were asked last. */
  readonly #silent = new Set<string>();

  /**
   * @param print for operations
   * @param note for what people should know besides
   */
  constructor(print: (line: string) => void, note: (line: string) => void, isVerbose: boolean) {
    this.#print = print;
    this.#note = note;
    this.#isVerbose = isVerbose;
  }

  read(client: string, node: NodeName, key: string, shown: Value, expected: Expected, remark: string): void {
    this.#answers(node);
    const mark = remark === "" ? "" : ` (${remark})`;
    this.#line(
      client,
      node,
      `GET ${key} -> Result ${textOf(shown)} --> Expected ${textsOf(expected)}${mark}`,
    );
  }

  failedRead(client: string, node: NodeName, key: string, error: MinikeyError, expected: Expected): void {
    this.#failed(node, error);
    const reason = reasonOf(error, node.address);
    this.#line(client, node, `GET ${key} -> Error ${reason} --> Expected ${textsOf(expected)}`);
  }

  /** @param tookMs from call to answer */
  wrote(client: string, node: NodeName, key: string, value: Value, tookMs: number): void {
    this.#answers(node);
    if (this.#isVerbose) {
      this.#line(client, node, `${writeOf(key, value)} -> OK after ${tookMs.toFixed(1)} ms`);
    }
  }

  failedWrite(client: string, node: NodeName, key: string, value: Value, error: MinikeyError): void {
    this.#failed(node, error);
    const outcome = error.outcome === "unknown" ? " (it may be done all the same)" : "";
    this.#line(client, node, `${writeOf(key, value)} -> Error ${reasonOf(error, node.address)}${outcome}`);
  }

  /** A write is seen on a node for the first time: `afterMs` its answer. */
  arrived(client: string, node: NodeName, key: string, shown: Value, afterMs: number): void {
    if (this.#isVerbose) {
      this.#line(client, node, `HAS ${key} -> ${textOf(shown)} after ${afterMs.toFixed(1)} ms`);
    }
  }

  note(line: string): void {
    this.#note(line);
  }

  #line(client: string, node: NodeName, text: string): void {
    this.#print(`Client ${client} Node ${node.label} - ${text}`);
  }

  #answers({ name, address }: NodeName): void {
    if (this.#silent.delete(name)) this.#note(`${name} (${address}) answers again`);
  }

  /** A node that answers with an error is there. */
  #failed({ name, address }: NodeName, error: MinikeyError): void {
    if (!isSilence(error) || this.#silent.has(name)) return;
    this.#silent.add(name);
    this.#note(`${name} (${address}) does not answer: ${reasonOf(error, address)}`);
  }
}

export const isSilence = ({ code }: MinikeyError): boolean =>
  code === "CONNECTION_LOST" || code === "OUTCOME_UNKNOWN";

const writeOf = (key: string, value: Value): string =>
  value === null ? `REMOVE ${key}` : `PUT ${key} ${textOf(value)}`;

/** A value as a line shows it. */
export function textOf(value: Value): string {
  if (value === null) return "null";
  const isPlain = value !== "null" && value !== "" && value.trim() === value && !/["\p{Cc}]/u.test(value);
  return isPlain ? value : quoteText(value);
}

function textsOf({ values, anything }: Expected): string {
  const texts = values.map(textOf);
  return [...(anything ? ["anything"] : []), ...texts].join(" or ");
}
