/**
 * What can go wrong for a caller, in one table: a stable code, its RESP prefix, HTTP status, exit status of
 * the command line, and whether trying again can help. `MinikeyError` carries one of these codes everywhere.
 */

/** `none`: nothing was asked of the data. `not-applied`: certainly not done. `unknown`: may or may not be done. */
export type Outcome = "none" | "not-applied" | "unknown";

export interface ErrorClass {
  /** First word of the RESP error. `ERR` is certainly not applied: clients read nothing else back from it. */
  readonly resp: string;
  readonly http: number;
  readonly exit: number;
  readonly retryable: boolean;
  readonly outcome: Outcome;
}

const row = (resp: string, http: number, exit: number, retryable: boolean, outcome: Outcome): ErrorClass => ({
  resp,
  http,
  exit,
  retryable,
  outcome,
});

export const ERROR_CLASSES = {
  BAD_REQUEST: row("ERR", 400, 2, false, "not-applied"),
  UNKNOWN_COMMAND: row("ERR", 400, 2, false, "not-applied"),
  WRONG_ARITY: row("ERR", 400, 2, false, "not-applied"),
  SYNTAX: row("ERR", 400, 2, false, "not-applied"),
  NOT_AN_INTEGER: row("ERR", 400, 1, false, "not-applied"),
  NOT_A_FLOAT: row("ERR", 400, 1, false, "not-applied"),
  OUT_OF_RANGE: row("ERR", 400, 1, false, "not-applied"),
  WRONG_TYPE: row("WRONGTYPE", 400, 1, false, "not-applied"),
  KEY_EMPTY: row("ERR", 400, 1, false, "not-applied"),
  KEY_TOO_LARGE: row("ERR", 400, 1, false, "not-applied"),
  VALUE_TOO_LARGE: row("ERR", 413, 1, false, "not-applied"),
  NOT_FOUND: row("ERR", 404, 1, false, "not-applied"),
  COMPUTE_ERROR: row("COMPUTE", 422, 1, false, "not-applied"),
  PATH_NOT_FOUND: row("NOTFOUND", 404, 1, false, "not-applied"),
  KEY_EXISTS: row("ERR", 409, 1, false, "not-applied"),
  VERSION_MISMATCH: row("ERR", 412, 1, false, "not-applied"),
  METHOD_NOT_ALLOWED: row("ERR", 405, 1, false, "not-applied"),
  UNSUPPORTED_MEDIA_TYPE: row("ERR", 415, 1, false, "not-applied"),
  HEADERS_TOO_LARGE: row("ERR", 431, 1, false, "none"),
  REQUEST_TIMEOUT: row("ERR", 408, 1, true, "none"),
  NO_AUTH: row("NOAUTH", 401, 1, false, "not-applied"),
  WRONG_PASSWORD: row("WRONGPASS", 401, 1, false, "not-applied"),
  NO_PROTOCOL: row("NOPROTO", 400, 1, false, "none"),
  PROTOCOL: row("ERR", 400, 1, false, "none"),
  OVERLOADED: row("OVERLOADED", 429, 1, true, "not-applied"),
  NO_QUORUM: row("CLUSTERDOWN", 503, 1, true, "not-applied"),
  NOT_READY: row("LOADING", 503, 1, true, "not-applied"),
  CONFLICT: row("TRYAGAIN", 409, 1, true, "not-applied"),
  SESSION_FORGOTTEN: row("NOSESSION", 409, 1, false, "unknown"),
  OUTCOME_UNKNOWN: row("TIMEOUT", 504, 1, false, "unknown"),
  KEYSPACE_NOT_FOUND: row("ERR", 404, 1, false, "not-applied"),
  KEYSPACE_EXISTS: row("ERR", 409, 1, false, "not-applied"),
  UNSUPPORTED: row("ERR", 400, 1, false, "not-applied"),
  BAD_CONFIG: row("ERR", 500, 2, false, "none"),
  PORT_IN_USE: row("ERR", 500, 1, false, "none"),
  DATA_IN_USE: row("ERR", 500, 1, false, "none"),
  DATA_CORRUPT: row("ERR", 500, 1, false, "none"),
  DATA_NEWER: row("ERR", 500, 1, false, "none"),
  WRONG_CLUSTER: row("ERR", 500, 1, false, "none"),
  DISK_FAILED: row("MISCONF", 500, 1, false, "unknown"),
  CONNECTION_LOST: row("CONNLOST", 503, 1, true, "unknown"),
  STOPPING: row("STOPPING", 503, 1, true, "not-applied"),
  INTERNAL: row("INTERNAL", 500, 1, false, "unknown"),
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof ERROR_CLASSES;

/** A caller's mistake or a condition the caller can act on. `message` has no prefix and no full stop. */
export class MinikeyError extends Error {
  override readonly name = "MinikeyError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly outcome: Outcome;

  constructor(code: ErrorCode, message: string, options?: { outcome?: Outcome; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = ERROR_CLASSES[code].retryable;
    this.outcome = options?.outcome ?? ERROR_CLASSES[code].outcome;
  }

  /** As RESP sends it, without the leading `-`: `ERR syntax error`. Characters of line ends become spaces. */
  toRespText(): string {
    return `${ERROR_CLASSES[this.code].resp} ${this.message.replaceAll(/[\r\n]/g, " ")}`;
  }
}
