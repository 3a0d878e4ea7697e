/**
 * How founders become a cluster, and how a node that lost its disk finds its way back. Pure: greetings in,
 * the next step out.
 *
 * A new cluster has every founder say that it is fresh before the first of them (by name) picks the cluster's
 * id; every founder writes it down (`forming`); then the first calls the cluster formed, and only then does
 * anyone vote. So a fresh node that meets a formed one knows that it is not new: its disk was lost, and with it
 * what it had promised. It asks for a new incarnation and starts as a learner.
 */
import type { NodeId } from "../core/ids.js";
import type { Greeting } from "../ports/transport.js";
import type { Identity } from "./identity.js";

export type FormingStep =
  | { readonly step: "wait"; readonly missing: readonly NodeId[] }
  /** Write this down, then say so to all. */
  | { readonly step: "become"; readonly stage: "forming" | "formed"; readonly clusterId: string }
  /** Ask this peer for a new incarnation. */
  | { readonly step: "rejoin"; readonly via: NodeId; readonly clusterId: string }
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
  const formed = heard.find((greeting) => greeting.stage === "formed");
  const isFirst = founders[0] === self.nodeId;
  if (self.stage === "fresh") {
    // A node that was rebuilt knows which cluster it is to go back to, and founds none.
    if (self.clusterId !== "") {
      const home = heard.find(({ stage, clusterId }) => stage === "formed" && clusterId === self.clusterId);
      return home === undefined
        ? { step: "wait", missing }
        : { step: "rejoin", via: home.nodeId, clusterId: home.clusterId };
    }
    if (formed !== undefined) return { step: "rejoin", via: formed.nodeId, clusterId: formed.clusterId };
    if (!isFirst) {
      // While the first is forming, nobody is formed. Another that is may have missed that the cluster was
      // formed, and used, with this node in it.
      const first = greetings.get(founders[0]);
      return first?.stage === "forming"
        ? { step: "become", stage: "forming", clusterId: first.clusterId }
        : { step: "wait", missing };
    }
    if (missing.length > 0) return { step: "wait", missing };
    const forming = heard.find((greeting) => greeting.stage === "forming");
    return { step: "become", stage: "forming", clusterId: forming?.clusterId ?? freshId };
  }
  if (formed?.clusterId === self.clusterId) {
    return { step: "become", stage: "formed", clusterId: self.clusterId };
  }
  const isAgreed = heard.every((greeting) => greeting.clusterId === self.clusterId);
  if (isFirst && missing.length === 0 && isAgreed) {
    return { step: "become", stage: "formed", clusterId: self.clusterId };
  }
  return { step: "wait", missing };
}
