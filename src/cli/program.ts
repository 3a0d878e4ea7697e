/**
 * The subcommands of `minikey` and their flags. What a subcommand does is imported when it is called, so that
 * `--help` is quick.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { DEFAULT_CONNECT } from "./connection.js";
import { reportFailure } from "./failure.js";
import type { LoadFlags } from "./load/load-command.js";
import type { ShellFlags } from "./shell/shell-command.js";

/** Runs `minikey` with these arguments and sets the process's exit status; never rejects. */
export async function run(args: readonly string[]): Promise<void> {
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
  for (const add of [addShell, addLoad]) add(program);
  return program;
}

const connectOption = (): Option =>
  new Option("--connect <host:port,…>", "nodes to talk to: the first that answers is used")
    .env("MINIKEY_CONNECT")
    .default(DEFAULT_CONNECT);

const jsonOption = (): Option => new Option("--json", "print results as JSON");

function addShell(program: Command): void {
  program
    .command("shell")
    .description("the interactive shell; also commands from a pipe, one a line")
    .addOption(connectOption())
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
    .description('load records: JSON lines {"key":…,"value":…} or key:value lines, gzipped too')
    .argument("<file>", "the file to read; - is standard input")
    .addOption(connectOption())
    .addOption(
      new Option("--format <format>", "instead of telling by the content").choices(["jsonl", "lines"]),
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

function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("Expected a whole number from 1.");
  return value;
}

function readVersion(): string {
  const path = new URL("../../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
