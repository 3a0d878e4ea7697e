/**
 * Processes by their ids. An id is given again when its process is gone, so a process is known by its id and the
 * moment at which it began.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Fields of `/proc/PID/stat` (proc(5)) behind the name, which ends with the last bracket. */
const STATE = 0;
const START_TIME = 19;

/** When the process began, in the kernel's own words; undefined when there is none, or only its remains. */
export function bornAt(pid: number): string | undefined {
  if (!existsSync("/proc/self/stat")) return bornAtByPs(pid);
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields[STATE] === "Z" ? undefined : fields[START_TIME];
}

/** Where there is no `/proc`. */
function bornAtByPs(pid: number): string | undefined {
  const { stdout, status } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
  return status === 0 ? stdout.trim().replaceAll(/\s+/g, "-") : undefined;
}

/** Ends a process that may be gone already. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
