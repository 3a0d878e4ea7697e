/** Mistakes in the node: sessions and retries, expiry, versions, membership, write levels. */
import { ANY, type Attack, type Mutant } from "./mutant.js";

/** Writes whose fate is followed closely. */
const WRITERS = ["pipelines", "registers", "counters", "sums"];
const STOPS: Attack = {
  scenario: "any",
  options: { workloads: WRITERS, faults: ["stop", "pause", "delay"] },
  seedsMax: 500,
};

/** What lies on which disk when a write is answered, while disks are lost. */
const LEVELS: Attack = {
  scenario: "any",
  options: { storage: "model", nodes: 3, replicas: 3, workloads: ["levels"], faults: ["lose-disk", "crash"] },
  seedsMax: 200,
};

const SESSIONS: readonly Mutant[] = [
  {
    name: "session-lost-on-leader-change",
    mistake: "When a new leader is found, what is under way is sent to it in a new session.",
    file: "src/node/partition-writer.ts",
    text: `    this.#isPressed = false;
    this.#resend();
  }`,
    replacement: `    this.#isPressed = false;
    this.#goOnAnew(this.#inFlight.filter((batch) => !batch.isDone));
    this.#host.wakeWriter(this);
  }`,
    attack: ANY,
  },
  {
    name: "sessions-left-out-of-state",
    mistake: "Checkpoints and snapshots carry the data, and not who wrote what already.",
    file: "src/node/partition-machine.ts",
    text: "    this.sessions.encode(writer);\n",
    replacement: "    new Sessions().encode(writer);\n",
    attack: ANY,
  },
  {
    name: "once-remembers-nothing",
    mistake: "A client's reply is remembered for repeats on the connection's node, not in the partition.",
    file: "src/node/node-commands.ts",
    text: "    machine.sessions.remember(client, sequence, reply);\n",
    replacement: "",
    attack: ANY,
  },
  {
    name: "stopping-node-sends-on",
    mistake: "A node that stops answers what waits, and forgets to take it out of the line.",
    file: "src/node/partition-writer.ts",
    text: `    // A flush may be due yet: what was refused must not be sent by it.
    this.#cut = [];
    this.#cutBytes = 0;
`,
    replacement: "",
    attack: STOPS,
  },
];

const WRITES: readonly Mutant[] = [
  {
    name: "timeout-is-refusal",
    mistake: "A write that was not confirmed in time is told as not applied.",
    file: "src/node/partition-writer.ts",
    text: "const reply = batch.uncertain > 0 ? unconfirmed() : refusal;",
    replacement: "const reply = refusal;",
    attack: ANY,
  },
  {
    name: "one-refusal-for-all",
    mistake: "One leader that has not taken a write is believed for those that it was sent to before.",
    file: "src/node/partition-writer.ts",
    text: "    if (batch.uncertain > 0) batch.uncertain -= 1;\n",
    replacement: "    batch.data = copyBytes(batch.data);\n    batch.uncertain = 0;\n",
    attack: { scenario: "far", options: { nodes: 5 }, seedsMax: 200 },
  },
  {
    name: "locked-session-goes-on",
    mistake: "What comes after a batch that met a lock is applied, and so overtakes it.",
    file: "src/node/partition-machine.ts",
    text: "    if (!complete) this.sessions.closeOrigin(id, session);\n",
    replacement: "",
    attack: ANY,
  },
  {
    name: "reply-points-into-store",
    mistake: "A reply is remembered as a place in the engine's memory, which later writes change.",
    file: "src/node/partition-machine.ts",
    text: 'return reply === OK || typeof reply !== "object" ? reply : retainReply(reply);',
    replacement: "return reply;",
    attack: ANY,
  },
  {
    name: "json-edit-stored-as-text",
    mistake: "A document that was edited in place is stored as the text that it is, without its type.",
    file: "src/commands/json/documents.ts",
    text: 'view.set(key, "json", bytes, start, end, old?.expiresAtMs ?? 0);',
    replacement:
      'view.set(key, old === undefined ? "json" : "string", bytes, start, end, old?.expiresAtMs ?? 0);',
    attack: { scenario: "documents", seedsMax: 200 },
  },
];

const EXPIRY: readonly Mutant[] = [
  {
    name: "expiry-decided-by-replica",
    mistake:
      "A read takes a key for gone when its own node's clock says so, without having it removed for all.",
    file: "src/node/partition-reader.ts",
    text: "} else if (machine.hasOverdue(spec, this.#args, nowMs)) {",
    replacement: "} else if (batch.isPurged && machine.hasOverdue(spec, this.#args, nowMs)) {",
    attack: ANY,
  },
  {
    name: "expiry-left-behind",
    mistake: "A key that is written anew keeps its old time in the table of what expires.",
    file: "src/node/store-view.ts",
    text: `    this.#dropExpiry(key);
    this.#revision += 1;
    this.writtenBytes`,
    replacement: `    this.#revision += 1;
    this.writtenBytes`,
    attack: ANY,
  },
];

const OTHERS: readonly Mutant[] = [
  {
    name: "read-passed-on-is-stale",
    mistake: "A read that another node asks for is answered from what is here, as it is asked for often.",
    file: "src/node/requests.ts",
    text: "this.read(group, spec, args, frame.guarantee, { onReply }, undefined);",
    replacement: 'this.read(group, spec, args, "stale", { onReply }, undefined);',
    attack: ANY,
  },
  {
    name: "back-as-the-same-replica",
    mistake: "A node that has lost its disk comes back as the replica that it was, and may vote again.",
    file: "src/node/cluster-map.ts",
    text: "return { ...member, incarnation: member.incarnation + 1, disk, lostDisks };",
    replacement: "return { ...member, disk, lostDisks };",
    attack: { scenario: "disks", seedsMax: 200 },
  },
  {
    name: "versions-from-the-start",
    mistake: "A restarted partition counts its versions from the number of its keys on.",
    file: "src/node/partition-machine.ts",
    text: "this.view.resumeAt(reader.u48());",
    replacement: "this.view.resumeAt(Math.min(reader.u48(), this.view.count()));",
    attack: ANY,
  },
  {
    name: "level-all-without-learners",
    mistake:
      "A write to all replicas waits for the voters, and not for a replica that is being filled again.",
    file: "src/node/awaited-by-all.ts",
    text: "const replicas = [...voters, ...votersOutgoing, ...learners];",
    replacement: "const replicas = [...voters, ...votersOutgoing];",
    attack: LEVELS,
  },
];

export const NODE_MUTANTS: readonly Mutant[] = [...SESSIONS, ...WRITES, ...EXPIRY, ...OTHERS];
