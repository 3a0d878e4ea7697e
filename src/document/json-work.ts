/**
 * How much work a command may do in documents. Paths and edits can ask for far more than they or the document say
 * (`$..[?($..x)]`, a long text into a million lists), a node has one thread, and a write is carried out by every
 * replica, again when it starts. So work is counted, and past a bound the command is refused. What is counted depends
 * on the document and the arguments alone: every replica refuses the same.
 */
import { MinikeyError } from "../core/errors.js";

/**
 * So many fields, elements and parts of filters may be looked at in any document, about a tenth of a second's work, and
 * so many more for each of its bytes: a pass over a large one is not refused.
 */
const PLACES_BASE = 1_000_000;
const PLACES_A_BYTE = 2;
/** In no document more. */
const PLACES_MAX = 10_000_000;

/** So many bytes may be walked over and written, whatever the document's size: a fraction of a second. */
const BYTES_MAX = 64 * 1024 * 1024;
/** A large document may be walked over so many times. */
const WALKS_MAX = 32;

/** No document is larger: `--max-value-size` is at most that. */
export const DOCUMENT_BYTES_MAX = 64 * 1024 * 1024;

export class DocumentWork {
  readonly #bytesMax: number;
  readonly #placesMax: number;
  #bytes = 0;
  #places = 0;

  /** For a document of so many bytes. */
  constructor(sizeBytes: number) {
    this.#bytesMax = Math.max(BYTES_MAX, WALKS_MAX * sizeBytes);
    this.#placesMax = Math.min(PLACES_MAX, PLACES_BASE + PLACES_A_BYTE * sizeBytes);
  }

  /** Counts places that are looked at. Throws `BAD_REQUEST` past the bound. */
  visit(places: number): void {
    this.#places += places;
    if (this.#places <= this.#placesMax) return;
    throw new MinikeyError(
      "BAD_REQUEST",
      `the path looks at more than ${this.#placesMax} places of the document`,
    );
  }

  /** Counts bytes that are walked over or written. Throws `BAD_REQUEST` past the bound. */
  pass(sizeBytes: number): void {
    this.#bytes += sizeBytes;
    if (this.#bytes <= this.#bytesMax) return;
    throw new MinikeyError(
      "BAD_REQUEST",
      `the command walks over more than ${this.#bytesMax} bytes of the document`,
    );
  }
}

/** Throws `VALUE_TOO_LARGE` when an edit would make a document that nobody could store. */
export function checkDocumentBytes(sizeBytes: number): void {
  if (sizeBytes <= DOCUMENT_BYTES_MAX) return;
  throw new MinikeyError(
    "VALUE_TOO_LARGE",
    `value of at least ${sizeBytes} bytes is larger than the limit of ${DOCUMENT_BYTES_MAX} bytes`,
  );
}
