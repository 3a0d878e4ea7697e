/**
 * The one directory that a run makes, for data and logs: `minikey-torture-PID-…` in the temporary directory. In it
 * stands which processes the run has started, so that the next run can end and remove what one left that was
 * killed itself.
 */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bornAt, killProcess } from "./processes.js";

const PREFIX = "minikey-torture-";
/** A process a line, its id and when it began; the first is the maker of the directory. */
const PROCESSES = "processes";

interface Recorded {
  readonly pid: number;
  readonly born: string;
}

export class Workplace {
  readonly directory: string;
  #isKept = false;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    writeFileSync(join(this.directory, PROCESSES), "");
    this.record(process.pid);
  }

  /** Notes a process that has to end with this run. */
  record(pid: number): void {
    const born = bornAt(pid);
    if (born !== undefined) appendFileSync(join(this.directory, PROCESSES), `${pid} ${born}\n`);
  }

  /** Returns its path. */
  makeDirectory(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path);
    return path;
  }

  remove(name: string): void {
    removeDirectory(join(this.directory, name));
  }

  /** What is in it stays, after this run and the next ones. */
  keep(): void {
    this.#isKept = true;
  }

  /** When no process of the run is left. */
  close(): void {
    if (this.#isKept) rmSync(join(this.directory, PROCESSES), { force: true });
    else removeDirectory(this.directory);
  }
}

/** Ends and removes what runs left behind that ended too suddenly to do it; says what that was, a line each. */
export function removeLeftovers(): string[] {
  const said: string[] = [];
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const directory = join(tmpdir(), name);
    const recorded = readProcesses(directory);
    const maker = recorded?.at(0);
    if (recorded === undefined || maker === undefined || isAlive(maker)) continue;
    const alive = recorded.filter(isAlive);
    for (const { pid } of alive) killProcess(pid);
    removeDirectory(directory);
    said.push(`removed what an earlier run left: ${alive.length} processes, ${directory}`);
  }
  return said;
}

/** Undefined for what no run has made, or is to be kept. */
function readProcesses(directory: string): Recorded[] | undefined {
  let text: string;
  try {
    text = readFileSync(join(directory, PROCESSES), "utf8");
  } catch {
    return undefined;
  }
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" "))
    .filter((words) => words.length === 2)
    .map(([pid, born]) => ({ pid: Number(pid), born }));
}

function isAlive({ pid, born }: Recorded): boolean {
  return bornAt(pid) === born;
}

/** A process that was killed a moment ago may still be writing. */
function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
