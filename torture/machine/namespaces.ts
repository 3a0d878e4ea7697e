/**
 * A network of the run's own: one network namespace a node, all on a bridge in the namespace of the run itself
 * (namespaces(7), veth(4)). Root is not needed where a user may have a namespace (user_namespaces(7)).
 *
 *      the run, 127.77.0.254 ─── hub (bridge)
 *                                 │  │  │    a veth pair each
 *        n1, 127.77.0.1 ── eth0 ──┘  │  └── eth0 ── n3, 127.77.0.3
 *                                   eth0 ── n2, 127.77.0.2
 *
 * - No namespace has a name: each lives as long as some process in it, and its devices with it. Nothing of all this
 *   is seen outside of the run, and nothing can be left behind but processes, which the workplace knows.
 * - Nodes listen on no other addresses than loopback's, as no password protects them. In these namespaces
 *   127.77.0.0/24 is no loopback but on the wire (`route_localnet`), so that nodes need not be asked to do else.
 * - A cut in one direction is a wrong hardware address for the other node: what is sent vanishes without a word to
 *   either side. It needs no module of the kernel's.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import type { Network, NodeAddress, Slowness } from "./network.js";
import { killProcess } from "./processes.js";

const NET = "127.77.0";
const HUB_HOST = 254;
const NOBODY = "02:00:7f:4d:ff:ff";
const RESP_PORT = 6380;
const HTTP_PORT = 8000;
const PEER_PORT = 7380;
/** Ends with the run, whose end of the pipe closes then. */
const HOLDER = ["--net", "sh", "-c", "echo ready; exec cat"];

/** Makes 127.77.0.0/24 an ordinary network: what is left of loopback is 127.0.0.1. */
const OWN_LOOPBACK = `
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
ip link set lo up
ip route del local 127.0.0.0/8 dev lo table local
`;

const HUB = `${OWN_LOOPBACK}
ip link add hub type bridge
ip addr add ${NET}.${HUB_HOST}/24 dev hub
ip link set hub up
`;

/** All that a network needs, at once, in namespaces that are gone with the shell. */
const PROBE = `set -e
command -v nsenter > /dev/null || { echo "there is no nsenter"; exit 1; }
${HUB}
ip link add v1 type veth peer name eth0
ip link set v1 master hub
ip neigh replace ${NET}.1 lladdr ${NOBODY} dev hub nud permanent
`;

/** Ways into a namespace: as root, and as anybody. */
const WAYS: readonly (readonly string[])[] = [["--net"], ["--user", "--map-root-user", "--net"]];

/** `command`: what to put in front of a command that is to have a network of its own. */
export type Possibility = { readonly command: readonly string[] } | { readonly reason: string };

/** Tries it. */
export function findNamespaces(): Possibility {
  const reasons = WAYS.map((way): Possibility => {
    const result = spawnSync("unshare", [...way, "sh", "-c", PROBE], { encoding: "utf8" });
    if (result.status === 0) return { command: ["unshare", ...way] };
    if (result.error !== undefined) return { reason: "there is no unshare" };
    const [line] = `${result.stderr}${result.stdout}`.trim().split("\n");
    return { reason: line || `unshare ended with ${result.status}` };
  });
  return reasons.find((possibility) => "command" in possibility) ?? reasons[0];
}

function hostOf(node: number): string {
  return `${NET}.${node + 1}`;
}

function linkOf(node: number): string {
  return `v${node + 1}`;
}

function hardwareOf(node: number): string {
  return `02:00:7f:4d:00:${(node + 1).toString(16).padStart(2, "0")}`;
}

/** Nodes in namespaces of their own. The process itself runs in one that `findNamespaces` made possible. */
export class NamespaceNetwork implements Network {
  readonly canSplit = true;
  readonly addresses: readonly NodeAddress[];
  /** One a node: its namespace is there as long as this sleeps. */
  readonly #holders: readonly ChildProcess[];
  /** How many want it cut, by `from to`. */
  readonly #cuts = new Map<string, number>();
  #canSlow = false;

  private constructor(holders: readonly ChildProcess[]) {
    this.#holders = holders;
    this.addresses = holders.map((_, node) => ({
      host: hostOf(node),
      respPort: RESP_PORT,
      httpPort: HTTP_PORT,
      peerPort: PEER_PORT,
    }));
  }

  get canSlow(): boolean {
    return this.#canSlow;
  }

  /** Once a process, before the first network is opened. */
  static prepare(): void {
    run(["sh", "-ec", HUB]);
  }

  /** @param onProcess is told of each process that holds a namespace */
  static async open(nodes: number, onProcess: (pid: number) => void): Promise<NamespaceNetwork> {
    const holders = Array.from({ length: nodes }, () => {
      const holder = spawn("unshare", HOLDER, { stdio: ["pipe", "pipe", "inherit"], detached: true });
      if (holder.pid !== undefined) onProcess(holder.pid);
      return holder;
    });
    const network = new NamespaceNetwork(holders);
    try {
      for (const [node, holder] of holders.entries()) await network.#connect(node, holder, nodes);
      network.#canSlow = network.#trySlowness();
      return network;
    } catch (error) {
      network.close();
      throw error;
    }
  }

  async #connect(node: number, holder: ChildProcess, nodes: number): Promise<void> {
    await untilInNamespace(holder);
    const link = linkOf(node);
    const hardware = hardwareOf(node);
    run([
      "ip",
      "link",
      "add",
      link,
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "address",
      hardware,
      "netns",
      `${holder.pid}`,
    ]);
    run(["ip", "link", "set", link, "master", "hub", "up"]);
    const others = Array.from({ length: nodes }, (_, other) => other).filter((other) => other !== node);
    const neighbours = others.map((other) => `ip ${neighbour(other, hardwareOf(other))}`).join("\n");
    const setUp = `${OWN_LOOPBACK}ip addr add ${hostOf(node)}/24 dev eth0\nip link set eth0 up\n${neighbours}`;
    run(this.commandAt(node, ["sh", "-ec", setUp]));
  }

  /** Not every kernel has netem (tc-netem(8)). */
  #trySlowness(): boolean {
    const [file, ...args] = this.commandAt(0, slowCommand({ delayMs: 1, lossPercent: 0 }));
    if (spawnSync(file, args, { stdio: "ignore" }).status !== 0) return false;
    run(this.commandAt(0, slowCommand(undefined)));
    return true;
  }

  commandAt(node: number, command: readonly string[]): readonly string[] {
    return ["nsenter", `--net=/proc/${this.#holders[node].pid}/ns/net`, ...command];
  }

  async cut(from: number, to: number): Promise<void> {
    const wanted = (this.#cuts.get(`${from} ${to}`) ?? 0) + 1;
    this.#cuts.set(`${from} ${to}`, wanted);
    if (wanted === 1) await this.#in(from, neighbour(to, NOBODY));
  }

  async mend(from: number, to: number): Promise<void> {
    const wanted = (this.#cuts.get(`${from} ${to}`) ?? 0) - 1;
    this.#cuts.set(`${from} ${to}`, wanted);
    if (wanted === 0) await this.#in(from, neighbour(to, hardwareOf(to)));
  }

  async setLink(node: number, isUp: boolean): Promise<void> {
    await runSoon(["ip", "link", "set", linkOf(node), isUp ? "up" : "down"]);
  }

  async setSlowness(node: number, slowness: Slowness | undefined): Promise<void> {
    await runSoon(this.commandAt(node, slowCommand(slowness)));
  }

  async #in(node: number, command: string): Promise<void> {
    await runSoon(this.commandAt(node, ["ip", ...command.split(" ")]));
  }

  /** A namespace takes its time to go; its link is needed again at once. */
  close(): void {
    for (const node of this.#holders.keys()) spawnSync("ip", ["link", "del", linkOf(node)]);
    for (const { pid } of this.#holders) if (pid !== undefined) killProcess(pid);
  }
}

function neighbour(node: number, hardware: string): string {
  return `neigh replace ${hostOf(node)} lladdr ${hardware} dev eth0 nud permanent`;
}

function slowCommand(slowness: Slowness | undefined): string[] {
  if (slowness === undefined) return ["tc", "qdisc", "del", "dev", "eth0", "root"];
  const { delayMs, lossPercent } = slowness;
  const delay = ["delay", `${delayMs}ms`, `${Math.ceil(delayMs / 2)}ms`];
  return ["tc", "qdisc", "replace", "dev", "eth0", "root", "netem", ...delay, "loss", `${lossPercent}%`];
}

/** Resolves when the shell in it says so: its process is in its own namespace then. */
function untilInNamespace(holder: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    holder.once("error", reject);
    holder.once("exit", (code) =>
      reject(new Error(`a network namespace for a node: unshare ended with ${code}`)),
    );
    holder.stdout?.once("data", () => resolve());
  });
}

/** Throws with what the command said when it fails. */
function run([file, ...args]: readonly string[]): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${[file, ...args].join(" ")}: ${error?.message ?? stderr.trim()}`);
}

/** The same without keeping this process from its clients. */
function runSoon([file, ...args]: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(file, args, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`${[file, ...args].join(" ")}: ${stderr.trim() || error.message}`));
    });
  });
}
