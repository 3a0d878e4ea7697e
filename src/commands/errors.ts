/** Redis's error texts, each in one place. Source: Redis 7.0, `server.c` (`createSharedObjects`) and the commands. */
import { MinikeyError } from "../core/errors.js";

export const syntaxError = (): MinikeyError => new MinikeyError("SYNTAX", "syntax error");

export const notAnInteger = (): MinikeyError =>
  new MinikeyError("NOT_AN_INTEGER", "value is not an integer or out of range");

export const notAFloat = (): MinikeyError => new MinikeyError("NOT_A_FLOAT", "value is not a valid float");

export const wrongType = (): MinikeyError =>
  new MinikeyError("WRONG_TYPE", "Operation against a key holding the wrong kind of value");

export const noSuchKey = (): MinikeyError => new MinikeyError("NOT_FOUND", "no such key");

/** `fullName` in lower case, a subcommand as `client|setname`. */
export const wrongArity = (fullName: string): MinikeyError =>
  new MinikeyError("WRONG_ARITY", `wrong number of arguments for '${fullName}' command`);

export const invalidExpireTime = (commandName: string): MinikeyError =>
  new MinikeyError("OUT_OF_RANGE", `invalid expire time in '${commandName.toLowerCase()}' command`);

export const valueTooLarge = (sizeBytes: number, limitBytes: number): MinikeyError =>
  new MinikeyError(
    "VALUE_TOO_LARGE",
    `value of ${sizeBytes} bytes is larger than the limit of ${limitBytes} bytes`,
  );
