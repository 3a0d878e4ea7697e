/**
 * `minikey start`: runs one node until SIGTERM or SIGINT, then stops it cleanly; a second signal ends the
 * process at once, which costs nothing that was answered.
 */
import { loadConfig } from "../../server/config/load-config.js";
import type { RunningServer } from "../../server/start.js";
import { reportFailure } from "../failure.js";
import { onStopSignals } from "../stop-signals.js";
import { tuneCollector } from "./collector.js";

export interface StartFlags {
  readonly stopWithParent?: boolean;
  /** The node's options by key, and `config`. */
  readonly [key: string]: unknown;
}

/** Environment variables of other subcommands: no mistakes here. */
const OTHER_VARIABLES = ["MINIKEY_CONNECT", "MINIKEY_HTTP", "MINIKEY_HISTORY"];

const note = (line: string): void => void process.stderr.write(`minikey: ${line}\n`);

export async function runStart(flags: StartFlags): Promise<void> {
  const { config, warnings } = await loadConfig({
    flags,
    environment: process.env,
    otherVariables: OTHER_VARIABLES,
  });
  for (const warning of warnings) note(warning);
  tuneCollector();
  const { startServer } = await import("../../server/start.js");
  const lifetime = new Lifetime(flags.stopWithParent === true);
  try {
    const server = await startServer(config, exitWith);
    lifetime.onStarted(server);
    const doors = [
      server.respPort === 0 ? "" : `RESP ${config.host}:${server.respPort}`,
      server.httpPort === 0 ? "" : `HTTP http://${config.host}:${server.httpPort}`,
    ];
    note(`${config.id} is up: ${doors.filter((door) => door !== "").join(", ")}`);
  } catch (error) {
    exitWith(error);
  }
}

/** Prints why, and ends the process whatever is still open. */
function exitWith(error: unknown): void {
  reportFailure(error);
  process.exit();
}

/** Turns signals, and the end of the parent process, into one clean stop. */
class Lifetime {
  #server: RunningServer | undefined;
  #isStopping = false;

  constructor(withParent: boolean) {
    onStopSignals({
      signals: ["SIGINT", "SIGTERM", "SIGHUP"],
      stop: () => this.#stop("stopping"),
      stopAtOnce: () => {
        note("stopped at once");
        process.exit(1);
      },
    });
    if (!withParent) return;
    // The parent holds the other end of standard input, and never writes: its end is the parent's.
    process.stdin.on("end", () => this.#stop("the parent process is gone"));
    process.stdin.on("error", () => this.#stop("the parent process is gone"));
    process.stdin.resume();
  }

  onStarted(server: RunningServer): void {
    this.#server = server;
  }

  #stop(why: string): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    note(why);
    // Nothing is lost by ending while still starting: nothing has been answered since the last stop.
    if (this.#server === undefined) process.exit(0);
    this.#server.stop().then(() => process.exit(0), exitWith);
  }
}
