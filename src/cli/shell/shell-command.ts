/** `minikey shell`: decides between a terminal, a pipe, and one command. */
import type { LoadFlags } from "../load/load-command.js";
import { runLines, runOnce } from "./batch.js";
import { History, historyPath } from "./history.js";
import { runInteractive } from "./interactive.js";
import type { ServerWatch } from "./server-watch.js";
import { readServersFile } from "./servers-file.js";
import { Shell } from "./shell.js";

export interface ShellFlags {
  readonly connect: string;
  readonly servers?: string;
  readonly load?: string;
  readonly k?: number;
  readonly command?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly timeout: number;
}

/** As long as `minikey load` waits: longer than an election, or a node's restart. */
const LOAD_TIMEOUT_MS = 30_000;

const note = (line: string): void => void process.stderr.write(`minikey: ${line}\n`);

export async function runShell(flags: ShellFlags): Promise<void> {
  const { servers, k } = flags;
  const connect = servers === undefined ? flags.connect : (await readServersFile(servers)).join(",");
  const shell = await Shell.open({
    connect,
    verbose: flags.verbose ?? false,
    timeoutMs: flags.timeout,
    ...(servers === undefined && k === undefined ? {} : { watch: { k } }),
  });
  try {
    if (shell.watch !== undefined) describeServers(shell.watch, k);
    if (flags.load !== undefined) await loadFirst(flags.load, connect, shell.watch);
    await runCommands(shell, flags);
  } finally {
    await shell.close();
  }
}

async function runCommands(shell: Shell, flags: ShellFlags): Promise<void> {
  const { stdin, stdout, stderr } = process;
  const json = flags.json ?? false;
  if (flags.command !== undefined) {
    setStatus(await runOnce(shell, flags.command, { stdout, stderr, json }));
  } else if (stdin.isTTY && stdout.isTTY) {
    await runInteractive(shell, {
      input: stdin,
      output: stdout,
      json,
      history: new History(historyPath(process.env), note),
    });
  } else {
    setStatus(await runLines(shell, stdin, { stdout, stderr, json }));
  }
}

/** Bad lines of a file that was loaded first count, too. */
function setStatus(status: number): void {
  if (status !== 0) process.exitCode = status;
}

function describeServers(watch: ServerWatch, wanted: number | undefined): void {
  for (const line of watch.down()) note(line);
  const inForce = watch.threshold();
  if (wanted === undefined || inForce === undefined || wanted <= inForce.k) return;
  note(
    `-k ${wanted}: of ${inForce.replicas} replicas of a key fewer than ${inForce.k} may be down for an answer to be proven, so k is ${inForce.k}`,
  );
}

/**
 * The summary and all messages go to stderr: results are what the commands print. Without a majority nothing can be
 * loaded, which is said at once; what is there can still be read.
 */
async function loadFirst(path: string, connect: string, watch: ServerWatch | undefined): Promise<void> {
  if (watch?.refusesWrites() === true) {
    note(`${path} is not loaded: too many servers are down`);
    process.exitCode = 1;
    return;
  }
  const { runLoad } = await import("../load/load-command.js");
  const flags: LoadFlags = { connect, fromLine: 1, timeout: LOAD_TIMEOUT_MS, summaryTo: process.stderr };
  await runLoad(path, flags);
}
