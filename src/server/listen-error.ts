/** Why a server cannot listen, in words that name the port and what to do. */
import { MinikeyError } from "../core/errors.js";

/**
 * Turns an error of `listen` into a `MinikeyError` (`PORT_IN_USE`, `BAD_CONFIG`); anything else stays as it is.
 * `what` is the protocol's name, `flag` the option that chooses the port.
 */
export function toListenError(
  error: unknown,
  what: string,
  flag: string,
  host: string,
  port: number,
): unknown {
  switch ((error as NodeJS.ErrnoException).code ?? "") {
    case "EADDRINUSE":
      return new MinikeyError(
        "PORT_IN_USE",
        `${what} port ${port} on ${host} is in use by another process; choose another with ${flag}`,
        { cause: error },
      );
    case "EACCES":
      return new MinikeyError(
        "BAD_CONFIG",
        `not allowed to listen on ${what} port ${port}; choose one above 1023 with ${flag}`,
        { cause: error },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new MinikeyError("BAD_CONFIG", `${what}: this machine has no address ${host}; see --host`, {
        cause: error,
      });
    default:
      return error;
  }
}
