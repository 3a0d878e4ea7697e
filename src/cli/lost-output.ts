/**
 * What a command does when its output cannot be written. A server goes on: its output is a courtesy. Any other
 * command ends: quietly when nobody reads any more, as behind `| head`, else with the reason.
 */
import { ExitError, reportFailure } from "./failure.js";

/** Listens from now on; without a listener a lost reader would end the process with a stack. */
export function watchOutput(isServer: boolean): void {
  const onError = (error: NodeJS.ErrnoException): void => {
    if (!isServer) endFor(error);
  };
  process.stdout.on("error", onError);
  process.stderr.on("error", onError);
}

function endFor({ code, message }: NodeJS.ErrnoException): never {
  if (code !== "EPIPE") {
    const reason = code === "ENOSPC" ? "the disk is full" : message;
    reportFailure(new ExitError(`cannot write the output: ${reason}`));
  }
  process.exit();
}
