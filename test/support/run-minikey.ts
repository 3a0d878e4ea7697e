/** The built command `minikey`, run to its end. */
import { spawn } from "node:child_process";
import { minikeyPath } from "./repository.js";

export interface Ended {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Resolves when it has ended; it does not outlive this process.
 *
 * @param input for its standard input
 * @param stdout where it prints to, a file descriptor; then `out` is empty
 */
export function runMinikey(
  args: readonly string[],
  input: Buffer | string = "",
  stdout: "pipe" | number = "pipe",
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [minikeyPath, ...args], { stdio: ["pipe", stdout, "pipe"] });
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    const ended = { out: "", err: "" };
    child.stdout?.on("data", (chunk: Buffer) => {
      ended.out += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      ended.err += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (status) => {
      process.removeListener("exit", kill);
      resolve({ status, ...ended });
    });
    child.stdin?.end(input);
  });
}
