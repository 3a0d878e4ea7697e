/** `minikey shell`: decides between a terminal, a pipe, and one command. */
import { runLines, runOnce } from "./batch.js";
import { History, historyPath } from "./history.js";
import { runInteractive } from "./interactive.js";
import { Shell } from "./shell.js";

export interface ShellFlags {
  readonly connect: string;
  readonly command?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly timeout: number;
}

export async function runShell(flags: ShellFlags): Promise<void> {
  const { stdin, stdout, stderr } = process;
  const json = flags.json ?? false;
  const shell = await Shell.open({
    connect: flags.connect,
    verbose: flags.verbose ?? false,
    timeoutMs: flags.timeout,
  });
  try {
    if (flags.command !== undefined) {
      process.exitCode = await runOnce(shell, flags.command, { stdout, stderr, json });
    } else if (stdin.isTTY && stdout.isTTY) {
      const history = new History(historyPath(process.env), (message) => {
        stderr.write(`minikey: ${message}\n`);
      });
      await runInteractive(shell, { input: stdin, output: stdout, json, history });
    } else {
      process.exitCode = await runLines(shell, stdin, { stdout, stderr, json });
    }
  } finally {
    await shell.close();
  }
}
