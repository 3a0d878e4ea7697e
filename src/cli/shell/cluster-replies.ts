/** What `CLUSTER SLOTS`, `CLUSTER NODES` and `KEYSPACE LIST` answer, as the shell uses it. */
import { expectArray, expectNumber, expectText, toPlain } from "../../client/values.js";
import { WireMap, type WireReply } from "../../client/wire.js";
import type { Member, SlotHolders } from "./guarantee.js";

/** A node that holds a slot. */
export interface Holder {
  /** 40 hexadecimal digits. */
  readonly id: string;
  /** What people call it. */
  readonly name: string;
  readonly address: string;
}

export interface SlotRow {
  readonly first: number;
  readonly last: number;
  /** Its leader first. */
  readonly holders: readonly Holder[];
}

/** `CLUSTER SLOTS`: slots whose partition has no leader are left out. */
export function slotRows(reply: WireReply): SlotRow[] {
  return expectArray(reply).map((row) => {
    const [first, last, ...nodes] = expectArray(row);
    return { first: expectNumber(first), last: expectNumber(last), holders: nodes.map(toHolder) };
  });
}

/** `[ip, port, id, metadata]`; the metadata's `name` is what people call the node. */
function toHolder(node: WireReply): Holder {
  const [ip, port, idReply, metadata] = expectArray(node);
  const pairs = metadata instanceof WireMap ? metadata.entries.flat() : expectArray(metadata ?? []);
  const texts = pairs.map((item) => expectText(item));
  const nameAt = texts.indexOf("name");
  const id = expectText(idReply);
  return {
    id,
    name: nameAt < 0 ? id : texts[nameAt + 1],
    address: `${expectText(ip)}:${expectNumber(port)}`,
  };
}

export const slotHolders = (rows: readonly SlotRow[]): SlotHolders[] =>
  rows.map(({ first, last, holders }) => ({ first, last, nodes: holders.map((holder) => holder.id) }));

/** What `CLUSTER NODES` says: the members, which of them answers, and the epoch of its map. */
export interface NodeList {
  readonly self: string;
  readonly epoch: number;
  readonly members: readonly Member[];
}

/** A line is `id ip:port@peerPort flags master ping pong epoch link slots`. */
export function nodeList(reply: WireReply): NodeList {
  const lines = expectText(reply)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" "));
  const members = lines.map(([id, address]) => ({ id, address: clientAddress(address) }));
  const self = lines.find((words) => words[2].split(",").includes("myself"))?.[0] ?? "";
  return { self, epoch: Number(lines[0]?.[6] ?? 0), members };
}

/** `:0` stands for a node whose door for clients is not known. */
function clientAddress(text: string): string {
  const address = text.slice(0, text.lastIndexOf("@"));
  return address.startsWith(":") ? "" : address;
}

/** `KEYSPACE LIST`: how many replicas each key of a keyspace has; 1 when there is none of that name or number. */
export function replicasOf(reply: WireReply, keyspace: string): number {
  for (const row of expectArray(reply)) {
    if (!(row instanceof WireMap)) continue;
    const fields = new Map(row.entries.map(([name, value]) => [toPlain(name), toPlain(value)]));
    if (fields.get("name") === keyspace || fields.get("id") === Number(keyspace)) {
      return Number(fields.get("replicas"));
    }
  }
  return 1;
}
