/**
 * How far one other replica has come with this replica's own writes, and what may be sent to it now.
 *
 *   own writes   1 ............ acked ............ sent ............ own number
 *                 it has them        under way           hints
 *
 * - `acked` is what its vector says of this replica: durable there. It never falls.
 * - Ranges leave one after the other: each begins where the one before ended, so what arrives is always the next
 *   range, and `acked` moves with it. After a loss, everything from `acked` on leaves again.
 * - A batch that was just written goes out at once when all before it went (`streams`); otherwise what is missing is
 *   read from the hints, as it is then. So whoever is slow gets each key once a range, not each write.
 * - Nothing leaves before the peer's vector was heard on the present connection: what was under way on an earlier one
 *   may or may not have arrived.
 * - Under way are at most `WINDOW_BYTES` (or one range), in `WINDOW_RANGES` ranges.
 *
 * Why nothing is skipped: a range names both its ends, and the receiver takes it only when it has all up to where it
 * begins (`takesRange`); only then does its vector move. A range that is lost, late or there twice so changes nothing
 * that is wrong: the next one is refused, and the answer (`resend`) makes this side go back. Where the answer is lost
 * as well, going back comes by itself after a time without news, which doubles, so that a slow disk is not sent the
 * same over and over.
 *
 * Hints may be dropped (they are bounded). What is missing then cannot be told any more: `needsTrees` until the
 * vector of the other reaches the oldest hint, by comparing trees (reconcile.ts), which moves `acked`, too.
 */

const WINDOW_BYTES = 2 * 1024 * 1024;
const WINDOW_RANGES = 64;
/** Without news of what is under way. */
const PATIENCE_MS = 3_000;
const PATIENCE_MAX_MS = 60_000;

/** What to do with a range of another replica's writes, `(after, upTo]`, when all up to `received` came. */
export function judgeRange(received: number, after: number, upTo: number): "take" | "known" | "gap" {
  if (upTo <= received) return "known";
  return after <= received ? "take" : "gap";
}

export class PeerProgress {
  /** It has all of this replica's writes up to this number. */
  acked = 0;
  /** Everything up to here has it, or is under way. */
  sent = 0;
  #isUp = false;
  /** Its vector was heard since it came up. */
  #isHeard = false;
  #bytesUnderWay = 0;
  /** Where the ranges under way end, and their sizes, in the order sent. */
  readonly #ends: number[] = [];
  readonly #sizes: number[] = [];
  #newsMs = 0;
  #patienceMs = PATIENCE_MS;

  get isUp(): boolean {
    return this.#isUp;
  }

  onUp(): void {
    this.#isUp = true;
    this.#isHeard = false;
    this.goBack();
  }

  onDown(): void {
    this.#isUp = false;
    this.#isHeard = false;
    this.goBack();
  }

  /** What is under way is taken for lost. */
  goBack(): void {
    this.sent = this.acked;
    this.#bytesUnderWay = 0;
    this.#ends.length = 0;
    this.#sizes.length = 0;
  }

  /** Its vector says `number` of this replica. Returns true when that is news. */
  onVector(number: number, resend: boolean, nowMs: number): boolean {
    this.#isHeard = this.#isUp;
    const isNews = number > this.acked;
    if (isNews) {
      this.acked = number;
      this.sent = Math.max(this.sent, number);
      this.#newsMs = nowMs;
      this.#patienceMs = PATIENCE_MS;
      this.#free();
    }
    // An old refusal: what it missed has arrived since.
    if (resend && number === this.acked) this.goBack();
    return isNews;
  }

  /** Whether own writes from `after` on can be sent on as they are: all before them has been. */
  streams(after: number): boolean {
    return this.sent === after && this.#hasRoom;
  }

  /** After which number the peer is to be sent something, when this replica has written up to `own`. */
  behind(own: number): number | undefined {
    return this.sent < own && this.#hasRoom ? this.sent : undefined;
  }

  /** The range from `sent` up to `upTo` has left. */
  onSent(upTo: number, sizeBytes: number, nowMs: number): void {
    if (this.#ends.length === 0) this.#newsMs = nowMs;
    this.sent = upTo;
    this.#ends.push(upTo);
    this.#sizes.push(sizeBytes);
    this.#bytesUnderWay += sizeBytes;
  }

  /** From time to time: goes back when what is under way seems lost. */
  tick(nowMs: number): void {
    if (this.#ends.length === 0 || nowMs - this.#newsMs < this.#patienceMs) return;
    this.#patienceMs = Math.min(2 * this.#patienceMs, PATIENCE_MAX_MS);
    this.goBack();
  }

  /** The hints begin after `hintsFrom`: does it lack more than they can tell? */
  needsTrees(hintsFrom: number): boolean {
    return this.#isHeard && this.acked < hintsFrom;
  }

  get #hasRoom(): boolean {
    return this.#isHeard && this.#bytesUnderWay < WINDOW_BYTES && this.#ends.length < WINDOW_RANGES;
  }

  #free(): void {
    let count = 0;
    while (count < this.#ends.length && this.#ends[count] <= this.acked) {
      this.#bytesUnderWay -= this.#sizes[count];
      count += 1;
    }
    this.#ends.splice(0, count);
    this.#sizes.splice(0, count);
  }
}
