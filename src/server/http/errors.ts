/**
 * Errors as HTTP sends them: `{"error": text, "code": NAME}` with the status of the one table, whatever went
 * wrong and wherever: in a handler, in the framework, or in bytes that are not HTTP.
 */
import { ERROR_CLASSES, type ErrorCode, MinikeyError } from "../../core/errors.js";

export interface HttpError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Seconds after which a client may try again, where that can help. */
const RETRY_AFTER_SECONDS = "1";

/** Methods that ask for no change (RFC 9110 §9.2.1). */
export const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
/** What could not be parsed has none, and did nothing. */
const NO_METHOD = "GET";

/** What the framework's own errors are in our table. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "BAD_REQUEST",
  404: "NOT_FOUND",
  408: "REQUEST_TIMEOUT",
  413: "VALUE_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  431: "HEADERS_TOO_LARGE",
  503: "STOPPING",
};

/** Any error as one of ours: the framework's by their status, all else as `INTERNAL` without its text. */
export function toMinikeyError(error: unknown): MinikeyError {
  if (error instanceof MinikeyError) return error;
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  const code = statusCode === undefined ? undefined : CODE_OF_STATUS[statusCode];
  if (code !== undefined) return new MinikeyError(code, message ?? code, { cause: error });
  return new MinikeyError("INTERNAL", "internal error; the node's log has the details", { cause: error });
}

/**
 * A write that may or may not have happened says so: `"outcome":"unknown"`. A read changes nothing, so there
 * the word would only alarm. `extra` members join the body after `error` and `code`.
 */
export function toHttpError(
  error: MinikeyError,
  method: string,
  extra?: Readonly<Record<string, unknown>>,
): HttpError {
  const { http: status } = ERROR_CLASSES[error.code];
  const retry = status === 503 || status === 429;
  return {
    status,
    headers: retry ? { "retry-after": RETRY_AFTER_SECONDS } : {},
    body: JSON.stringify({
      error: error.message,
      code: error.code,
      ...(error.outcome === "unknown" && !SAFE_METHODS.has(method) ? { outcome: "unknown" } : {}),
      ...extra,
    }),
  };
}

/** What Node.js's HTTP parser refused, by the error's `code`. */
export function fromParserError(code: string | undefined, reason: string | undefined): MinikeyError {
  switch (code ?? "") {
    case "HPE_HEADER_OVERFLOW":
      return new MinikeyError("HEADERS_TOO_LARGE", "the request's headers are too large");
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new MinikeyError("PROTOCOL", "the request's chunk extensions are too large");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new MinikeyError("REQUEST_TIMEOUT", "the request took too long to arrive");
    default:
      return new MinikeyError(
        "PROTOCOL",
        `not a valid HTTP request: ${reason ?? code ?? "connection error"}`,
      );
  }
}

/** A whole response, for a connection that has no request to answer. */
export function toRawResponse(error: MinikeyError): string {
  const { status, body } = toHttpError(error, NO_METHOD);
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? "Error"}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};
