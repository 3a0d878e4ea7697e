/** Tests that watch, or disturb, the system calls of a process: with strace, which Linux has and may forbid. */
import { spawnSync } from "node:child_process";
import { skipWithout } from "./requirement.js";

/** For `skip` of a test; `purpose` says what it would show. */
export function skipWithoutStrace(purpose: string): string | false {
  // Not only installed: a container may not let it look at other processes.
  const { status, error, stderr } = spawnSync("strace", ["-f", "true"], { encoding: "utf8" });
  const why = status === 0 ? undefined : (error?.message ?? stderr.trim().split("\n")[0]);
  return skipWithout("strace", why === undefined ? undefined : `strace cannot be used (${why}): ${purpose}`);
}
