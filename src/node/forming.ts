/**
 * How founders become a cluster, and how a node that lost its disk finds its way back. Pure: greetings in,
 * the next step out.
 *
 * A new cluster has every founder say that it is fresh before the first of them (by name) picks the cluster's id;
 * every founder writes it down (`forming`); then the first calls the cluster formed, and only then does anyone
 * vote. The id carries a checksum of the founders' names: who was told others would count its votes, and number
 * itself, in another way, and does not take part. So a fresh node that meets a formed one knows that it is not
 * new: its disk was lost, and with it what it had promised. It asks for a new incarnation and starts as a
 * learner.
 */
import { utf8ToBytes } from "../core/bytes.js";
import { crc32c } from "../core/crc32c.js";
import type { NodeId } from "../core/ids.js";
import type { Random } from "../ports/random.js";
import type { Greeting } from "../ports/transport.js";
import type { Identity } from "./identity.js";

export type FormingStep =
  | { readonly step: "wait"; readonly missing: readonly NodeId[] }
  /** Write this down, then say so to all. */
  | { readonly step: "become"; readonly stage: "forming" | "formed"; readonly clusterId: string }
  /** Ask one of these peers for a new incarnation; one that is cut off from the rest cannot give it. */
  | { readonly step: "rejoin"; readonly via: readonly NodeId[]; readonly clusterId: string }
  /** Peers that this node cannot both believe: they are of different clusters, or were told other founders. */
  | { readonly step: "disagree"; readonly peers: readonly NodeId[] }
  | { readonly step: "done" };

/**
 * @param founders all of them, this node included, in the order of their names
 * @param greetings the latest of each peer that can be heard
 * @param freshId a cluster id to use if this node is to pick one
 */
export function nextFormingStep(
  self: Identity,
  founders: readonly NodeId[],
  greetings: ReadonlyMap<NodeId, Greeting>,
  freshId: string,
): FormingStep {
  if (self.stage === "formed") return { step: "done" };
  const others = founders.filter((id) => id !== self.nodeId);
  const heard = others.flatMap((id) => greetings.get(id) ?? []);
  const missing = others.filter((id) => !greetings.has(id));
  const formed = heard.filter((greeting) => greeting.stage === "formed");
  const isFirst = founders[0] === self.nodeId;
  if (self.stage === "fresh") {
    // A node that was rebuilt knows which cluster it is to go back to, and founds none.
    const home = self.clusterId === "" ? formed : formed.filter((peer) => peer.clusterId === self.clusterId);
    if (home.length > 0) return rejoin(home);
    if (self.clusterId !== "") return { step: "wait", missing };
    const forming = heard.filter((greeting) => greeting.stage === "forming");
    const others = forming.find((greeting) => !isFoundedBy(greeting.clusterId, founders));
    if (others !== undefined) return { step: "disagree", peers: [others.nodeId] };
    if (!isFirst) {
      // While the first is forming, nobody is formed. Another that is may have missed that the cluster was
      // formed, and used, with this node in it.
      const first = forming.find((greeting) => greeting.nodeId === founders[0]);
      return first === undefined
        ? { step: "wait", missing }
        : { step: "become", stage: "forming", clusterId: first.clusterId };
    }
    if (missing.length > 0) return { step: "wait", missing };
    return { step: "become", stage: "forming", clusterId: forming[0]?.clusterId ?? freshId };
  }
  if (formed.some((greeting) => greeting.clusterId === self.clusterId)) {
    return { step: "become", stage: "formed", clusterId: self.clusterId };
  }
  const first = heard.find((greeting) => greeting.nodeId === founders[0]);
  if (first?.stage === "forming" && first.clusterId !== self.clusterId) {
    // The first lost its disk after it had named the cluster here, and before all had the name: nobody can be
    // formed under it, so the new one is as good.
    return isFoundedBy(first.clusterId, founders)
      ? { step: "become", stage: "forming", clusterId: first.clusterId }
      : { step: "disagree", peers: [first.nodeId] };
  }
  const isAgreed = heard.every((greeting) => greeting.clusterId === self.clusterId);
  if (isFirst && missing.length === 0 && isAgreed) {
    return { step: "become", stage: "formed", clusterId: self.clusterId };
  }
  return { step: "wait", missing };
}

function rejoin(home: readonly Greeting[]): FormingStep {
  const [{ clusterId }] = home;
  const via = home.map((greeting) => greeting.nodeId);
  const isOne = home.every((greeting) => greeting.clusterId === clusterId);
  return isOne ? { step: "rejoin", via, clusterId } : { step: "disagree", peers: via };
}

const RANDOM_DIGITS = 24;
const CHECKSUM_DIGITS = 8;

/** A new cluster's id, in hexadecimal: 96 random bits, then the CRC-32C of the founders' names. */
export function newClusterId(random: Random, founders: readonly NodeId[]): string {
  const half = () =>
    random
      .id48()
      .toString(16)
      .padStart(RANDOM_DIGITS / 2, "0");
  return half() + half() + checksumOf(founders);
}

/** False when the cluster was founded by others than `founders`. */
export function isFoundedBy(clusterId: string, founders: readonly NodeId[]): boolean {
  // Ids of before there was a checksum are shorter.
  if (clusterId.length !== RANDOM_DIGITS + CHECKSUM_DIGITS) return true;
  return clusterId.slice(RANDOM_DIGITS) === checksumOf(founders);
}

function checksumOf(founders: readonly NodeId[]): string {
  const names = [...founders].sort().join(",");
  return crc32c(utf8ToBytes(names)).toString(16).padStart(CHECKSUM_DIGITS, "0");
}
