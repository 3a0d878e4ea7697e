/**
 * The subcommands of `minikey` and their flags. What a subcommand does is imported when it is called, so that
 * `--help` is quick.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { GENERATOR_DEPTH_MAX } from "../document/record-generator.js";
import { CONFIG_FILE_KEY, flagOf, OPTION_KEYS, OPTIONS, variableOf } from "../server/config/node-config.js";
import type { ClusterFlags } from "./cluster/cluster-command.js";
import { DEFAULT_CONNECT, DEFAULT_HTTP } from "./connection.js";
import { reportFailure } from "./failure.js";
import type { GenerateFlags } from "./generate/generate-command.js";
import type { CreateFlags, KeyspaceFlags } from "./keyspace/keyspace-command.js";
import type { FormatName } from "./load/formats.js";
import type { LoadFlags } from "./load/load-command.js";
import { type OutputOf, watchOutput } from "./lost-output.js";
import type { ShellFlags } from "./shell/shell-command.js";
import type { StartFlags } from "./start/start-command.js";
import type { StatusFlags } from "./status/status-command.js";
import type { Wait } from "./workload/mode-run.js";
import type { WorkloadFlags } from "./workload/workload-command.js";

/** The subcommands that serve until they are stopped. */
const SERVERS: ReadonlySet<string> = new Set(["start", "cluster"]);
/** Those that may change data. */
const WRITERS: ReadonlySet<string> = new Set(["shell", "load", "workload", "keyspace"]);

function outputOf(subcommand: string): OutputOf {
  if (SERVERS.has(subcommand)) return "server";
  return WRITERS.has(subcommand) ? "writer" : "reader";
}

/** Runs `minikey` with these arguments and sets the process's exit status; never rejects. */
export async function run(args: readonly string[]): Promise<void> {
  watchOutput(outputOf(args[0] ?? ""));
  const program = buildProgram();
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    // Help and version end this way too, with status 0; usage errors were printed by commander.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else reportFailure(error);
  }
}

export function buildProgram(): Command {
  const program = new Command("minikey")
    .description("MinikeyDB: a distributed, linearizable, durable key-value database")
    .version(readVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .showSuggestionAfterError(true)
    .showHelpAfterError("(minikey --help lists commands and flags)")
    .exitOverride();
  for (const add of [
    addStart,
    addCluster,
    addShell,
    addLoad,
    addGenerate,
    addWorkload,
    addStatus,
    addKeyspace,
  ]) {
    add(program);
  }
  return program;
}

const connectOption = (): Option =>
  new Option("--connect <host:port,…>", "nodes to talk to: the first that answers is used")
    .env("MINIKEY_CONNECT")
    .default(DEFAULT_CONNECT);

const jsonOption = (): Option => new Option("--json", "print results as JSON");

function addStart(program: Command): void {
  const start = program
    .command("start")
    .description("run one node; with --cluster, as one of several")
    .addOption(
      new Option(
        `${flagOf(CONFIG_FILE_KEY)} <file>`,
        "a YAML file with these options, as httpPort: 8000",
      ).env(variableOf(CONFIG_FILE_KEY)),
    );
  for (const key of OPTION_KEYS) {
    const { placeholder, help, default: value, defaultText } = OPTIONS[key];
    const flags = placeholder === undefined ? flagOf(key) : `${flagOf(key)} ${placeholder}`;
    const shown = defaultText ?? (typeof value === "string" || typeof value === "number" ? value : undefined);
    // Checked, with the environment and the file, by the node's configuration.
    start.addOption(new Option(flags, shown === undefined ? help : `${help} (default: ${shown})`));
  }
  start.addOption(new Option("--stop-with-parent").hideHelp());
  start.action(async (flags: StartFlags) => (await import("./start/start-command.js")).runStart(flags));
}

const countOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(parsePositive);

const wholeOption = (flags: string, description: string, min: number, max?: number): Option =>
  new Option(flags, description).argParser((text) => parseWhole(text, min, max));

function addCluster(program: Command): void {
  program
    .command("cluster")
    .description("run a whole cluster on this machine, one process a node, until Ctrl-C")
    .addOption(countOption("--nodes <n>", "how many nodes (default: 3, or as many as there are in --data)"))
    .addOption(countOption("--replicas <n>", "copies of each partition (default: 3, or --nodes if fewer)"))
    .addOption(countOption("--partitions <n>", "shares of the key space, fixed when the cluster is made"))
    .addOption(
      new Option("--data <dir>", "where to keep data and logs").env("MINIKEY_DATA").default("./data"),
    )
    .addOption(
      countOption("--resp-port <port>", "of the first node; the others count up")
        .env("MINIKEY_RESP_PORT")
        .default(6380),
    )
    .addOption(
      countOption("--http-port <port>", "of the first node; the others count up")
        .env("MINIKEY_HTTP_PORT")
        .default(8000),
    )
    .addOption(
      countOption("--peer-port <port>", "of the first node; the others count up")
        .env("MINIKEY_PEER_PORT")
        .default(7380),
    )
    .addOption(new Option("--log-level <level>", "of the nodes").env("MINIKEY_LOG_LEVEL"))
    .addOption(jsonOption())
    .action(async (flags: ClusterFlags) => (await import("./cluster/cluster-command.js")).runCluster(flags));
}

function addShell(program: Command): void {
  program
    .command("shell")
    .description("the interactive shell; also commands from a pipe, one a line")
    .addOption(connectOption())
    .option(
      "--servers <file>",
      'a list of nodes to talk to and to watch, "ip port" a line, instead of --connect',
    )
    .option("--load <file>", "load this file first, as minikey load does")
    .addOption(
      countOption(
        "-k <n>",
        "warn when so many replicas of what is asked for are down (default: as many as make a majority impossible)",
      ),
    )
    .option("-c, --command <command>", "carry out one command and exit")
    .option("-v, --verbose", "show what each replica answers")
    .addOption(
      new Option("--timeout <ms>", "how long to wait for an answer").argParser(parsePositive).default(5_000),
    )
    .addOption(jsonOption())
    .action(async (flags: ShellFlags) => (await import("./shell/shell-command.js")).runShell(flags));
}

function addLoad(program: Command): void {
  program
    .command("load")
    .description("load records: the record format, JSON lines or key:value lines, gzipped too")
    .argument("<file>", "the file to read; - is standard input")
    .addOption(connectOption())
    .addOption(
      new Option("--format <format>", "of the records; auto tells by the content")
        .choices(["auto", "records", "jsonl", "json", "lines"] satisfies FormatName[])
        .default("auto"),
    )
    .option("--keyspace <name>", "where to store the records")
    .option("--strict", "write nothing when any line is bad")
    .addOption(new Option("--from-line <n>", "skip the lines before it").argParser(parsePositive).default(1))
    .addOption(
      new Option("--timeout <ms>", "how long one record may take").argParser(parsePositive).default(30_000),
    )
    .addOption(jsonOption())
    .action(async (file: string, flags: LoadFlags) =>
      (await import("./load/load-command.js")).runLoad(file, flags),
    );
}

function addGenerate(program: Command): void {
  const depth = wholeOption("-d, --depth <n>", "how deep sets nest; 0: one flat set", 0, GENERATOR_DEPTH_MAX);
  program
    .command("generate")
    .description("print records made up at random, in the record format")
    .requiredOption("-k, --key-file <file>", "names and types of values: name string|int|float a line")
    .addOption(wholeOption("-n, --lines <n>", "how many records", 0).default(1_000))
    .addOption(depth.default(3))
    .addOption(wholeOption("-l, --longest <n>", "length of the longest string", 1, 1_048_576).default(8))
    .addOption(wholeOption("-m, --most <n>", "most keys of a set", 0).default(5))
    .addOption(wholeOption("--seed <n>", "the same seed makes the same records; default: a random one", 0))
    .action(async (flags: GenerateFlags) =>
      (await import("./generate/generate-command.js")).runGenerate(flags),
    );
}

function addWorkload(program: Command): void {
  program
    .command("workload")
    .description("clients with test files, at the same time on every node: what each sees, and when")
    .requiredOption("--clients <file>", "a client a line: its id and its test file of key:value lines")
    .addOption(connectOption())
    .addOption(
      new Option("--mode <mode>", "what the nodes are held to; eventual unless said otherwise").choices([
        "eventual",
        "sequential",
        "linearizable",
        "all",
      ] satisfies WorkloadFlags["mode"][]),
    )
    .option("-e", "as --mode eventual")
    .option("-s", "as --mode sequential")
    .option("-l", "as --mode linearizable")
    .option("-a", "as --mode all")
    .option("--keyspace <name>", "where to work; one that is made is dropped again (default: workload-MODE)")
    .addOption(
      new Option("--wait-ms <min..max>", "between a write and its reads, by chance")
        .argParser(parseWait)
        .default({ minMs: 500, maxMs: 1_200 } satisfies Wait, "500..1200"),
    )
    .addOption(wholeOption("--seed <n>", "the same seed makes the same choices; default: a random one", 0))
    .addOption(
      new Option("--timeout <ms>", "how long a node has for an answer")
        .argParser(parsePositive)
        .default(2_000),
    )
    .option("-v, --verbose", "every operation on every node")
    .addOption(jsonOption())
    .action(async (flags: WorkloadFlags) =>
      (await import("./workload/workload-command.js")).runWorkload(flags),
    );
}

function addStatus(program: Command): void {
  program
    .command("status")
    .description("nodes, health, leaders, partitions, lag")
    .addOption(
      new Option("--http <host:port,…>", "HTTP addresses of nodes; those that they name are asked too")
        .env("MINIKEY_HTTP")
        .default(DEFAULT_HTTP),
    )
    .option("-w, --watch", "again every second, until Ctrl-C")
    .option("-v, --verbose", "every partition too")
    .addOption(jsonOption())
    .action(async (flags: StatusFlags) => (await import("./status/status-command.js")).runStatus(flags));
}

function addKeyspace(program: Command): void {
  const keyspace = program
    .command("keyspace")
    .description("keyspaces: named sets of keys with rules of their own")
    .helpOption("-h, --help", "print this help");
  keyspace
    .command("create")
    .description("make one")
    .argument("<name>")
    .addOption(
      new Option("--consistency <consistency>", "strong or eventual")
        .choices(["strong", "eventual"])
        .default("strong"),
    )
    .addOption(
      new Option("--storage <storage>", "disk or memory").choices(["disk", "memory"]).default("disk"),
    )
    .addOption(countOption("--replicas <n>", "copies of each partition"))
    .addOption(countOption("--partitions <n>", "shares of the key space"))
    .addOption(connectOption())
    .addOption(jsonOption())
    .action(async (name: string, flags: CreateFlags) =>
      (await import("./keyspace/keyspace-command.js")).createKeyspace(name, flags),
    );
  keyspace
    .command("list")
    .description("describe all")
    .addOption(connectOption())
    .addOption(jsonOption())
    .action(async (flags: KeyspaceFlags) =>
      (await import("./keyspace/keyspace-command.js")).listKeyspaces(flags),
    );
  keyspace
    .command("drop")
    .description("remove one with all its keys")
    .argument("<name>")
    .addOption(connectOption())
    .addOption(jsonOption())
    .action(async (name: string, flags: KeyspaceFlags) =>
      (await import("./keyspace/keyspace-command.js")).dropKeyspace(name, flags),
    );
}

const parsePositive = (text: string): number => parseWhole(text, 1);

const WAIT_MS_MAX = 60_000;

/** `500..1200`, or one number for always the same. */
function parseWait(text: string): Wait {
  const [, min = "", max = min] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const wait = { minMs: parseWhole(min, 0, WAIT_MS_MAX), maxMs: parseWhole(max, 0, WAIT_MS_MAX) };
  if (wait.minMs <= wait.maxMs) return wait;
  throw new InvalidArgumentError("Expected the shorter wait first.");
}

function parseWhole(text: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const isBoundFar = max === Number.MAX_SAFE_INTEGER && !(value > max);
  const bound = isBoundFar ? `from ${min}` : `from ${min} to ${max}`;
  throw new InvalidArgumentError(`Expected a whole number ${bound}.`);
}

function readVersion(): string {
  const path = new URL("../../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
