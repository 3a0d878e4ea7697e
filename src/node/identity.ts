/**
 * Who a data directory belongs to: one small file, written before the node takes part in anything.
 *
 * ```
 * { "format": 1, …the identity, "checksum": CRC-32C of the file's JSON without this field and without spaces }
 * ```
 * A changed digit of the incarnation would make the node vote as one that it is not; so nothing is believed of a
 * file whose checksum is wrong.
 */
import { allocBytes, utf8ToBytes } from "../core/bytes.js";
import { crc32c } from "../core/crc32c.js";
import { MinikeyError } from "../core/errors.js";
import { type NodeId, nodeId } from "../core/ids.js";
import type { Disk } from "../ports/disk.js";

/** The format of everything in the data directory. */
const DATA_FORMAT = 1;
const FILE = "identity.json";
const FIELDS: ReadonlySet<string> = new Set([
  "nodeId",
  "clusterId",
  "memberNumber",
  "incarnation",
  "disk",
  "stage",
  "rebuilt",
]);

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
  /** The data was fetched anew by `--rebuild`, which has stood on the command line at every start since. */
  readonly rebuilt?: boolean;
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
  const parsed = parseObject(text);
  const { checksum, ...checked } = parsed;
  const { format, ...identity } = checked as Partial<Identity> & { format?: unknown };
  const isNewer = typeof format === "number" && format > DATA_FORMAT;
  const newer = `has format ${String(format)}, newer than ${DATA_FORMAT}, the latest that this version knows`;
  // Files of before it was introduced have none.
  if (checksum !== undefined && checksum !== checksumOf(checked)) {
    throw damaged(isNewer ? `${newer}, or is damaged: its checksum is wrong` : "has a wrong checksum");
  }
  if (isNewer) throw new MinikeyError("DATA_NEWER", `${FILE} ${newer}`);
  if (format !== DATA_FORMAT || !isIdentity(identity)) throw damaged("is not an identity");
  return { ...identity, nodeId: nodeId(identity.nodeId) };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw damaged("is not valid JSON");
  }
  if (typeof parsed !== "object" || parsed === null) throw damaged("is not an identity");
  return parsed as Record<string, unknown>;
}

const damaged = (problem: string): MinikeyError => new MinikeyError("DATA_CORRUPT", `${FILE} ${problem}`);

function isIdentity(value: Partial<Identity>): value is Identity {
  const { nodeId: id, clusterId, memberNumber, incarnation, disk, stage } = value;
  if (!Object.keys(value).every((name) => FIELDS.has(name))) return false;
  const areTexts = [id, clusterId, disk].every((text) => typeof text === "string");
  const least = stage === "fresh" ? 0 : 1;
  const areNumbers = [memberNumber, incarnation].every(
    (number) => Number.isSafeInteger(number) && (number ?? 0) >= least,
  );
  const isStage = stage === "fresh" || ((stage === "forming" || stage === "formed") && clusterId !== "");
  return areTexts && areNumbers && isStage;
}

function checksumOf(checked: object): number {
  return crc32c(utf8ToBytes(JSON.stringify(checked)));
}

/** Replaces the file, durably and in one step. */
export async function writeIdentity(disk: Disk, identity: Identity): Promise<void> {
  const temporary = `${FILE}.new`;
  const file = await disk.open(temporary, { create: true });
  try {
    await file.truncate(0);
    const checked = { format: DATA_FORMAT, ...identity };
    const text = JSON.stringify({ ...checked, checksum: checksumOf(checked) }, undefined, 2);
    await file.write([utf8ToBytes(`${text}\n`)], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, FILE);
  await disk.syncDirectory("");
}
