/** Tests that watch, or disturb, the system calls of a process: with strace, which Linux has and may forbid. */
import { spawn, spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { skipWithout } from "./requirement.js";

/** For `skip` of a test; `purpose` says what it would show. */
export function skipWithoutStrace(purpose: string): string | false {
  // Not only installed: a container may not let it look at other processes.
  const { status, error, stderr } = spawnSync("strace", ["-f", "true"], { encoding: "utf8" });
  const why = status === 0 ? undefined : (error?.message ?? stderr.trim().split("\n")[0]);
  return skipWithout("strace", why === undefined ? undefined : `strace cannot be used (${why}): ${purpose}`);
}

/** The calls by which a node writes its log and its data. */
const WRITES = "pwrite64,pwritev,pwritev2,fdatasync,fsync";

/**
 * From each thread's `nth` on, every write that a running process makes is refused with EIO, and every sync; only
 * those of `file` when one is given. Resolves when that is so. What goes to sockets is not meant. The process goes
 * on being watched until it ends.
 */
export async function refuseWrites(
  t: TestContext,
  pid: number,
  nth: number,
  file: string | undefined,
): Promise<void> {
  const inject = `inject=${WRITES}:error=EIO:when=${nth}+`;
  const args = [
    "-f",
    "-p",
    `${pid}`,
    ...(file === undefined ? [] : ["-P", file]),
    "-e",
    `trace=${WRITES}`,
    "-e",
    inject,
  ];
  const child = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.once("error", reject);
    child.once("close", () => reject(new Error(`strace ended: ${said}`)));
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (/attached/.test(said)) resolve();
    });
  });
}
