/**
 * Who a data directory belongs to: one small file, written before the node takes part in anything.
 */
import { allocBytes, utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type NodeId, nodeId } from "../core/ids.js";
import type { Disk } from "../ports/disk.js";

/** The format of everything in the data directory. */
export const DATA_FORMAT = 1;
const FILE = "identity.json";

export interface Identity {
  readonly nodeId: NodeId;
  /** Empty while the node is fresh. */
  readonly clusterId: string;
  readonly memberNumber: number;
  readonly incarnation: number;
  /** Names this disk; made when the directory is. */
  readonly disk: string;
  /** `fresh`: belongs to nothing yet. `forming`: knows its cluster, may not vote yet. `formed`: a member. */
  readonly stage: "fresh" | "forming" | "formed";
}

/** Undefined for an empty directory. Rejects with `DATA_NEWER` or `DATA_CORRUPT`. */
export async function readIdentity(disk: Disk): Promise<Identity | undefined> {
  if (!(await disk.list("")).includes(FILE)) return undefined;
  const file = await disk.open(FILE);
  try {
    const bytes = allocBytes(await file.sizeBytes());
    await file.read(bytes, 0);
    return parseIdentity(bytes.utf8Slice());
  } finally {
    await file.close();
  }
}

function parseIdentity(text: string): Identity {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new MinikeyError("DATA_CORRUPT", `${FILE} is not valid JSON`);
  }
  const { format, ...identity } = parsed as Identity & { format: number };
  if (format > DATA_FORMAT) {
    throw new MinikeyError(
      "DATA_NEWER",
      `${FILE} has format ${format}, newer than ${DATA_FORMAT}, the latest that this version knows`,
    );
  }
  if (
    format !== DATA_FORMAT ||
    typeof identity.nodeId !== "string" ||
    typeof identity.clusterId !== "string"
  ) {
    throw new MinikeyError("DATA_CORRUPT", `${FILE} is not an identity`);
  }
  return { ...identity, nodeId: nodeId(identity.nodeId) };
}

/** Replaces the file, durably and in one step. */
export async function writeIdentity(disk: Disk, identity: Identity): Promise<void> {
  const temporary = `${FILE}.new`;
  const file = await disk.open(temporary, { create: true });
  try {
    await file.truncate(0);
    const text = JSON.stringify({ format: DATA_FORMAT, ...identity }, undefined, 2);
    await file.write([utf8ToBytes(`${text}\n`)], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, FILE);
  await disk.syncDirectory("");
}
