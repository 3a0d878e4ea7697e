/** A node without peers and without ports, for a user's own program. */
import { hasArity } from "../commands/check.js";
import { wrongArity } from "../commands/errors.js";
import type { Args, CommandSpec } from "../commands/types.js";
import { MinikeyError } from "../core/errors.js";
import type { KeyspaceId, NodeId } from "../core/ids.js";
import { silentLogger } from "../platform/logger.js";
import { type OpenNode, openNode } from "./open-node.js";
import type { LocalReply } from "./resp/local/services.js";
import { LocalCommands } from "./resp/local-commands.js";
import { Session } from "./resp/session.js";
import { ServerStats } from "./resp/stats.js";
import { VERSION } from "./version.js";

export interface EmbeddedSettings {
  readonly id: NodeId;
  readonly dataDir: string;
  readonly partitions: number;
  readonly valueBytesMax: number;
  readonly onFatal: (error: unknown) => void;
}

const REQUEST_TIMEOUT_MS = 10_000;
const READY_POLL_MS = 5;

/** Resolves once the node answers. Rejects as `openNode` does. */
export async function openEmbeddedNode(settings: EmbeddedSettings): Promise<OpenNode> {
  let failure: unknown;
  const opened = await openNode({
    ...settings,
    onFatal: (error) => {
      failure = error;
      settings.onFatal(error);
    },
    founders: [{ id: settings.id, address: "" }],
    listen: undefined,
    advertise: "",
    replicas: 1,
    readMode: "quorum",
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    version: VERSION,
    rebuild: false,
    logger: silentLogger,
  });
  try {
    await opened.node.start();
    while (!opened.node.status().ready) {
      if (failure !== undefined) throw failure;
      await new Promise<void>((resolve) => {
        opened.clock.after(READY_POLL_MS, resolve);
      });
    }
  } catch (error) {
    await opened.stop();
    throw error;
  }
  return opened;
}

/** About a connection, of which there is none here. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  "HELLO",
  "AUTH",
  "SELECT",
  "QUIT",
  "RESET",
  "CLIENT",
  "CONSISTENCY",
]);

const doNothing = (): void => {};

/** The commands of spread `local`, as the RESP server answers them, as far as they mean something here. */
export class EmbeddedCommands {
  readonly #commands: LocalCommands;

  constructor({ node, clock }: OpenNode, valueBytesMax: number) {
    this.#commands = new LocalCommands({
      database: node,
      clock,
      stats: new ServerStats(),
      valueBytesMax,
      clientsMax: 0,
      host: "",
      port: () => 0,
      clients: () => [],
    });
  }

  run(spec: CommandSpec, args: Args, keyspace: KeyspaceId): LocalReply {
    if (!hasArity(spec, args.count)) return wrongArity(spec.name.toLowerCase());
    if (OF_CONNECTIONS.has(spec.name)) {
      return new MinikeyError("UNSUPPORTED", `${spec.name} is about a connection, and there is none here`);
    }
    const session = new Session(0, "", "", 0);
    session.context.keyspace = keyspace;
    return this.#commands.run(
      { session, inputBytes: 0, outputBytes: 0, finish: doNothing, close: doNothing },
      spec,
      args,
    );
  }
}
