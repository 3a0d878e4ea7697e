/** What a member answers to a node that comes back with another disk. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copyBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { nodeId } from "../../../src/core/ids.js";
import { foundingMap, type MapChange, readMap } from "../../../src/node/cluster-map.js";
import { type Note, parseNote } from "../../../src/node/cluster-view.js";
import { decodeFrame } from "../../../src/node/peer-frames.js";
import { Readmission } from "../../../src/node/readmission.js";
import { noTransport } from "../../../src/platform/no-transport.js";
import { apply, newMachine } from "./partition-fixture.js";

const [N1, N2, N3] = ["n1", "n2", "n3"].map((name) => nodeId(name));
const FOUNDING = foundingMap({
  members: [N1, N2, N3].map((id) => ({ id, peerAddress: `${id}:1` })),
  replicas: 3,
  partitions: 2,
  valueBytesMax: 100,
});
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

test("a member that is behind does not agree to throw away a keyspace that it has not heard of", async () => {
  const machine = await newMachine();
  let sequence = 0;
  const change = (asked: MapChange) => {
    sequence += 1;
    const commands = [["MAP.CHANGE", JSON.stringify(asked)]];
    return apply(machine, { session: 1, sequence, commands }).replies[0];
  };
  change({ do: "found", map: FOUNDING });
  const only = { consistency: "strong", storage: "disk", replicas: 1, partitions: 8 } as const;
  assert.equal(change({ do: "create-keyspace", name: "of-one", ...only }), 2);

  let seen = FOUNDING;
  const notes: Note[] = [];
  const readmission = new Readmission(
    {
      get map() {
        return seen;
      },
      change: async (asked) => {
        const reply = await Promise.resolve(change(asked));
        if (reply instanceof MinikeyError) throw reply;
        return reply;
      },
    },
    // As long as this member knows, all that there is has a leader without the third node.
    { presentLeaderOf: (group) => (group >= 0 ? N2 : undefined), stateOf: () => "active" },
    {
      ...noTransport(),
      send(_to, parts) {
        const frame = decodeFrame(copyBytes(Buffer.concat(parts)));
        const note = frame.type === "note" ? parseNote(frame.text) : undefined;
        if (note !== undefined) notes.push(note);
        return true;
      },
    },
    quiet,
  );
  const ask = async () => {
    readmission.onRejoin(N3, { kind: "rejoin", disk: "new", rebuild: true });
    await new Promise(setImmediate);
    return notes.pop()?.kind;
  };
  assert.equal(await ask(), "rejoin-refused");
  assert.equal(readMap(machine.view)?.members[2].incarnation, 1);
  seen = readMap(machine.view) ?? assert.fail();
  assert.equal(await ask(), "rejoined");
  // The answer may be lost, and the map go on: the node asks again.
  change({ do: "create-keyspace", name: "another", ...only });
  assert.equal(await ask(), "rejoined");
});
