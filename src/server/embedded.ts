/** A node without peers and without ports, for a user's own program. */
import type { NodeId } from "../core/ids.js";
import { silentLogger } from "../platform/logger.js";
import { type OpenNode, openNode } from "./open-node.js";
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
  const opened = await openNode({
    ...settings,
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
  await opened.node.start();
  while (!opened.node.status().ready) {
    await new Promise<void>((resolve) => {
      opened.clock.after(READY_POLL_MS, resolve);
    });
  }
  return opened;
}
