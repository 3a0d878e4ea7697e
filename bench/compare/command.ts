/** Other programs, run to their end: what they print is their result. */
import { spawn } from "node:child_process";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program without a shell. Resolves with its standard output; rejects when it fails, with all it said. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (status, signal) => {
      if (status === 0) resolve(stdout);
      else
        reject(new Error(`${program} ${args.join(" ")} ended with ${signal ?? status}:\n${stderr}${stdout}`));
    });
  });
}

/** The first line of a program's output, or undefined when there is no such program here. */
export async function versionOf(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    return (await runCommand(program, args)).split("\n")[0];
  } catch {
    return undefined;
  }
}
