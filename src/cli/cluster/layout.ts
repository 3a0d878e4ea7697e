/**
 * What a local cluster is made of, and where that is written down: `DIR/cluster.json`, so that a second start
 * goes on with the same nodes, and one with other numbers is refused rather than half obeyed.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExitError, usageError } from "../failure.js";

/** What cannot change between two starts. */
export interface Shape {
  readonly nodes: number;
  readonly replicas: number;
  readonly partitions: number | undefined;
}

export interface NodePlan {
  readonly id: string;
  readonly dataDir: string;
  readonly logPath: string;
  readonly respPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
}

export interface FirstPorts {
  readonly respPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
}

const FILE_NAME = "cluster.json";
const FORMAT = 1;
const NODES_DEFAULT = 3;
const NODES_MAX = 99;

/** The flags of this start, where given, against what is stored. Fails when they contradict it. */
export async function resolveShape(dataDir: string, wanted: Partial<Shape>): Promise<Shape> {
  const stored = await readShape(dataDir);
  if (stored === undefined) {
    const nodes = wanted.nodes ?? NODES_DEFAULT;
    const replicas = wanted.replicas ?? Math.min(nodes, 3);
    if (nodes > NODES_MAX) throw usageError(`--nodes ${nodes}: at most ${NODES_MAX} on one machine`);
    if (replicas > nodes) throw usageError(`--replicas ${replicas} needs as many nodes; --nodes is ${nodes}`);
    return { nodes, replicas, partitions: wanted.partitions };
  }
  for (const name of ["nodes", "replicas", "partitions"] as const) {
    const now = wanted[name];
    if (now === undefined || now === stored[name]) continue;
    throw new ExitError(
      `${dataDir} holds a cluster made with --${name} ${stored[name] ?? "(default)"}, so --${name} ${now} ` +
        "is not possible with it: leave the flag out, or choose another --data",
    );
  }
  return stored;
}

async function readShape(dataDir: string): Promise<Shape | undefined> {
  const path = join(dataDir, FILE_NAME);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ExitError(`cannot read ${path}: ${(error as Error).message}`);
  }
  const shape = parseShape(text);
  if (shape === undefined) throw new ExitError(`${path} is damaged: it does not describe a cluster`);
  if (shape === "newer") throw new ExitError(`${path} was written by a newer version of MinikeyDB`);
  return shape;
}

function parseShape(text: string): Shape | "newer" | undefined {
  try {
    const { format, nodes, replicas, partitions } = JSON.parse(text) as Partial<Shape> & { format?: number };
    if (typeof format === "number" && format > FORMAT) return "newer";
    if (format !== FORMAT || !isCount(nodes) || !isCount(replicas)) return undefined;
    return { nodes, replicas, partitions: isCount(partitions) ? partitions : undefined };
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

export async function storeShape(dataDir: string, shape: Shape): Promise<void> {
  const path = join(dataDir, FILE_NAME);
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(`${path}.new`, `${JSON.stringify({ format: FORMAT, ...shape })}\n`);
    await rename(`${path}.new`, path);
  } catch (error) {
    throw new ExitError(`cannot write ${path}: ${(error as Error).message}`);
  }
}

/** n1, n2, … with the ports counting up. */
export function planNodes(dataDir: string, count: number, first: FirstPorts): NodePlan[] {
  return Array.from({ length: count }, (_, i) => {
    const id = `n${i + 1}`;
    const nodeDir = join(dataDir, id);
    return {
      id,
      dataDir: nodeDir,
      logPath: join(nodeDir, "node.log"),
      respPort: first.respPort + i,
      httpPort: first.httpPort + i,
      peerPort: first.peerPort + i,
    };
  });
}

/** The arguments of `minikey` that run one node of the plan. */
export function startArgs(node: NodePlan, all: readonly NodePlan[], host: string, shape: Shape): string[] {
  return [
    "start",
    "--id",
    node.id,
    "--data",
    node.dataDir,
    "--host",
    host,
    "--resp-port",
    String(node.respPort),
    "--http-port",
    String(node.httpPort),
    "--peer-port",
    String(node.peerPort),
    "--cluster",
    all.map((peer) => `${peer.id}=${host}:${peer.peerPort}`).join(","),
    "--replicas",
    String(shape.replicas),
    ...(shape.partitions === undefined ? [] : ["--partitions", String(shape.partitions)]),
  ];
}
