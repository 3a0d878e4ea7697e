/**
 * Reading request bodies into memory, within bounds: each body has its own, and all that the server holds for
 * unfinished requests, in both directions, has one together. Past it the answer is `OVERLOADED`.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { asBytes, type Bytes, concatBytes, EMPTY_BYTES } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";

/** Bytes held for requests that are not finished. */
export class HeldBytes {
  readonly #max: number;
  #held = 0;

  constructor(maxBytes: number) {
    this.#max = maxBytes;
  }

  get total(): number {
    return this.#held;
  }

  /** For one request: what it adds is given back when `response` is closed, answered or not. */
  open(response: ServerResponse): RequestBytes {
    let own = 0;
    let closed = response.destroyed;
    response.once("close", () => {
      closed = true;
      this.#held -= own;
    });
    return {
      add: (sizeBytes) => {
        if (closed) return;
        if (this.#held > own && this.#held + sizeBytes > this.#max) {
          throw new MinikeyError("OVERLOADED", "too much data in unfinished requests; try again");
        }
        own += sizeBytes;
        this.#held += sizeBytes;
      },
    };
  }
}

export interface RequestBytes {
  /** Throws `OVERLOADED` when other requests hold too much already. */
  add(sizeBytes: number): void;
}

/**
 * The whole body. Rejects with `VALUE_TOO_LARGE` past `maxBytes` (Node.js then drops what still comes, so the
 * connection stays usable), `OVERLOADED`, or `BAD_REQUEST` when the client goes away before the end.
 */
export function readBody(request: IncomingMessage, maxBytes: number, held: RequestBytes): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    const finish = (settle: () => void): void => {
      request.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
      settle();
    };
    const onData = (part: Uint8Array): void => {
      sizeBytes += part.length;
      try {
        if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
        held.add(part.length);
        parts.push(part);
      } catch (error) {
        finish(() => reject(error));
      }
    };
    const onEnd = (): void => {
      finish(() => resolve(joinParts(parts)));
    };
    const onCut = (): void => {
      finish(() => reject(new MinikeyError("BAD_REQUEST", "the request ended before its body was complete")));
    };
    if (Number(request.headers["content-length"]) > maxBytes) {
      reject(tooLarge(maxBytes));
      return;
    }
    request.on("data", onData).on("end", onEnd).on("error", onCut).on("close", onCut);
  });
}

function joinParts(parts: readonly Uint8Array[]): Bytes {
  if (parts.length === 0) return EMPTY_BYTES;
  return parts.length === 1 ? asBytes(parts[0]) : concatBytes(parts);
}

function tooLarge(maxBytes: number): MinikeyError {
  return new MinikeyError("VALUE_TOO_LARGE", `the body is larger than ${maxBytes} bytes`);
}
