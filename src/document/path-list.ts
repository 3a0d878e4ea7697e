/**
 * The paths of many reads, ready to be looked for: no object for each, and no text before somebody asks for it.
 *
 * Of `a.b.c` the keys that it may mean, `a`, `a.b` and `a.b.c`, are beginnings of one text, and the way into the
 * document of each is what follows. So a path is its bytes, and where its keys end:
 *
 *     bytes     person2.address.number tags.0 …
 *     key ends         ^       ^      ^    ^ ^    path by path, the shortest key first
 *
 * Paths with quotes, or with more than ASCII, are kept as `Meanings` beside that: their keys, too, begin with each
 * other and lie in `bytes`, but the ways do not.
 */
import { ByteWriter } from "../codec/byte-writer.js";
import { type Bytes, KEY_BYTES_MAX, type Key, writeKey } from "../core/bytes.js";
import { isPlainCode } from "./field-name.js";
import { PATH_SEGMENTS_MAX } from "./key-path.js";
import { type Meanings, meaningsOf } from "./meanings.js";
import { PlainWay, SegmentsWay, type Way } from "./way.js";

const DOT = 0x2e;
const BYTES_INITIAL = 1024;

export class PathList {
  readonly #writer: ByteWriter;
  /** Where each path begins in the bytes. */
  readonly #starts: number[] = [];
  /** Each path's first key; one more at the end. */
  readonly #firstKeys: number[] = [0];
  readonly #keyEnds: number[] = [];
  /** Of those paths that are not plain. */
  readonly #listed: (Meanings | undefined)[] = [];
  readonly #plainWay = new PlainWay();

  constructor(bytesInitial = BYTES_INITIAL) {
    this.#writer = new ByteWriter(bytesInitial);
  }

  /** Number of paths. */
  get count(): number {
    return this.#starts.length;
  }

  /** Keys that they may mean, all together. */
  get keyCount(): number {
    return this.#keyEnds.length;
  }

  /** What all keys are parts of; another array after the next path has been added. */
  get bytes(): Bytes {
    return this.#writer.bytes;
  }

  get sizeBytes(): number {
    return this.#writer.length;
  }

  /**
   * Takes the path that is `bytes[start, end)`; false when it is not plain, or wrong: then `meaningsOf` its text
   * tells, and can be added.
   */
  addPlain(bytes: Bytes, start: number, end: number): boolean {
    const sizeBytes = end - start;
    if (sizeBytes === 0 || sizeBytes > KEY_BYTES_MAX) return false;
    const keyEnds = this.#keyEnds;
    const keysBefore = keyEnds.length;
    const own = this.#writer.length;
    let segments = 1;
    for (let at = start; at < end; at += 1) {
      const code = bytes[at];
      if (code === DOT) {
        segments += 1;
        // No key is empty.
        if (at > start) keyEnds.push(own + at - start);
      } else if (!isPlainCode(code)) {
        keyEnds.length = keysBefore;
        return false;
      }
    }
    if (segments > PATH_SEGMENTS_MAX) {
      keyEnds.length = keysBefore;
      return false;
    }
    keyEnds.push(own + sizeBytes);
    this.#writer.raw(bytes, start, end);
    this.#add(own, undefined);
    return true;
  }

  add(meanings: Meanings): void {
    const longest = meanings.keyAt(0);
    const own = this.#writer.reserve(longest.length);
    writeKey(this.#writer.bytes, own, longest);
    for (let i = meanings.count - 1; i >= 0; i -= 1) this.#keyEnds.push(own + meanings.keyAt(i).length);
    this.#add(own, meanings);
  }

  #add(start: number, listed: Meanings | undefined): void {
    this.#starts.push(start);
    this.#listed.push(listed);
    this.#firstKeys.push(this.#keyEnds.length);
  }

  /** Forgets all paths but the first `count`. */
  truncate(count: number): void {
    if (count === this.count) return;
    this.#writer.truncate(this.#starts[count]);
    this.#keyEnds.length = this.#firstKeys[count];
    this.#starts.length = count;
    this.#listed.length = count;
    this.#firstKeys.length = count + 1;
  }

  // --- Of one path, counted from 0 ---

  /** Where its keys begin in the bytes, all of them. */
  startOf(path: number): number {
    return this.#starts[path];
  }

  /** Keys are counted through all paths: this path's first, which is its shortest, and the next path's. */
  firstKeyOf(path: number): number {
    return this.#firstKeys[path];
  }

  /** Where the key ends in the bytes. */
  endOfKey(key: number): number {
    return this.#keyEnds[key];
  }

  lengthOfKey(path: number, key: number): number {
    return this.#keyEnds[key] - this.#starts[path];
  }

  /** The longest key, which all others are beginnings of. */
  longestKeyOf(path: number): Key {
    return this.bytes.latin1Slice(this.#starts[path], this.#keyEnds[this.#firstKeys[path + 1] - 1]);
  }

  /** Into the document at that key of the path; to be walked before another is asked for. */
  wayBehind(path: number, key: number): Way {
    const listed = this.#listed[path];
    const last = this.#firstKeys[path + 1] - 1;
    if (listed !== undefined) return new SegmentsWay(listed.wayAt(last - key));
    this.#plainWay.reset(this.bytes, this.#keyEnds[key] + 1, this.#keyEnds[last]);
    return this.#plainWay;
  }

  meaningsAt(path: number): Meanings {
    return this.#listed[path] ?? meaningsOf(this.longestKeyOf(path));
  }
}
