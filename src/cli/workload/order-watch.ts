/**
 * Whether every node shows one order of writes, as a strong keyspace has it: a key's version grows with every write,
 * so no node may show an older one than it has shown, nor what it has shown as deleted since; and two nodes that
 * show one version show one value.
 *
 * Reads of one node are told in the order of its answers. A node that was lost in between may come back with less
 * than it had shown: it begins anew.
 */
import type { Value } from "./judge.js";

/** What a node showed of a key. Version 0: nothing yet. */
interface Shown {
  version: number;
  isGone: boolean;
}

export class OrderWatch {
  readonly #byNode: Map<string, Shown>[];
  /** Of a key, by version. */
  readonly #values = new Map<string, Map<number, Value>>();

  constructor(nodes: number) {
    this.#byNode = Array.from({ length: nodes }, () => new Map<string, Shown>());
  }

  /**
   * Whether what a node shows fits with all that was shown before.
   *
   * @param version 0 for a key that is not there
   */
  fits(node: number, key: string, version: number, value: Value): boolean {
    const shown = this.#shownBy(node, key);
    if (version === 0) {
      shown.isGone = true;
      return true;
    }
    const isForward = version > shown.version || (version === shown.version && !shown.isGone);
    const isSame = this.#isSame(key, version, value);
    if (version >= shown.version) {
      shown.version = version;
      shown.isGone = false;
    }
    return isForward && isSame;
  }

  /** The node did not answer. */
  lost(node: number): void {
    this.#byNode[node].clear();
  }

  #shownBy(node: number, key: string): Shown {
    const keys = this.#byNode[node];
    let shown = keys.get(key);
    if (shown === undefined) {
      shown = { version: 0, isGone: false };
      keys.set(key, shown);
    }
    return shown;
  }

  #isSame(key: string, version: number, value: Value): boolean {
    let values = this.#values.get(key);
    if (values === undefined) {
      values = new Map();
      this.#values.set(key, values);
    }
    const known = values.get(version);
    if (known === undefined) values.set(version, value);
    return known === undefined || known === value;
  }
}
