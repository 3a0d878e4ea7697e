/**
 * Who wrote what already: for each origin node the number of its last batch, and the replies of the batches
 * that it has not acknowledged; for each client session (`ONCE`) the replies of its latest commands. A part of
 * the replicated state: the same on every replica, in checkpoints and snapshots (dissertation §6.3).
 *
 * Bounded by count and by bytes, the least recently used first; "recently" is the order of the log, so every
 * replica forgets the same. All maps are kept in that order.
 *
 * What is forgotten is never taken for new, or a late repeat would be applied twice. A session says when it was
 * opened, in seconds by the clock of whoever opened it; the latest such time among the forgotten ones is remembered,
 * and no session is opened that is not later. Clocks may be wrong: who is refused opens a session that is later,
 * by what it is told. So the stamps order sessions, as epochs do, and no clock is trusted. But a name that claims to
 * be of the far future is refused: once forgotten, it would leave no later name to anybody.
 */
import type { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import { type Reply, Slice } from "../commands/reply.js";
import { decodeReplyFrom, encodeReply } from "../commands/reply-encoding.js";
import { retainReply } from "./retain-reply.js";

/** Open ones. Far above the nodes of a cluster times their restarts in the life of a retry. */
const ORIGINS_MAX = 4096;
/**
 * Closed ones, beside the open ones: transactions close many, and must not push out those that go on. Above what
 * is closed in the life of a retry.
 */
const CLOSED_ORIGINS_MAX = 4096;
const CLIENTS_MAX = 16_384;
/** Above the commands that a client keeps under way on one partition. */
const REPLIES_PER_CLIENT_MAX = 256;
/** How far a client's clock may be ahead of the partition's time. Wrong clocks do no harm, so there is much room. */
const AHEAD_SECONDS_MAX = 366 * 24 * 60 * 60;
/** Of all clients' replies in one partition. */
const CLIENT_REPLY_BYTES_MAX = 16 * 1024 * 1024;
/** What a reply counts beside its bytes. */
const REPLY_OVERHEAD_BYTES = 64;
/** Log entries after which an origin has either got its replies or will not ask for them. */
const ORIGIN_REPLIES_KEPT_ENTRIES = 100_000;

export interface OriginSession {
  /** In seconds, by the origin's clock. */
  readonly opened: number;
  lastSequence: number;
  /** A command met a lock: the origin goes on in a new session, and nothing more is applied in this one. */
  closed: boolean;
  lastUsed: number;
  readonly replies: Map<number, readonly Reply[]>;
}

interface ClientSession {
  /** Replies of numbers up to here are forgotten: a repeat of one is refused. */
  forgottenUpTo: number;
  bytes: number;
  readonly replies: Map<number, Reply>;
}

export class Sessions {
  readonly #origins = new Map<number, OriginSession>();
  readonly #closed = new Map<number, OriginSession>();
  readonly #clients = new Map<string, ClientSession>();
  /** When the latest was opened of those forgotten; −1 for none. */
  #originsForgotten = -1;
  #clientsForgotten = -1;
  #clientBytes = 0;

  /** Undefined for a session never seen, or forgotten. */
  origin(id: number): OriginSession | undefined {
    return this.#origins.get(id) ?? this.#closed.get(id);
  }

  /** A session opened up to this second may be one that was forgotten; −1 when none was. */
  get originsForgotten(): number {
    return this.#originsForgotten;
  }

  /** `opened`: later than `originsForgotten`. */
  openOrigin(id: number, position: number, opened: number): OriginSession {
    this.#forgetOld(this.#origins, ORIGINS_MAX - 1, position);
    const session: OriginSession = {
      opened,
      lastSequence: 0,
      closed: false,
      lastUsed: position,
      replies: new Map(),
    };
    this.#origins.set(id, session);
    return session;
  }

  useOrigin(id: number, session: OriginSession, position: number): void {
    session.lastUsed = position;
    const sessions = session.closed ? this.#closed : this.#origins;
    sessions.delete(id);
    sessions.set(id, session);
  }

  /** Nothing new is applied in the session; its replies are kept for repeats. */
  closeOrigin(id: number, session: OriginSession): void {
    session.closed = true;
    this.#origins.delete(id);
    this.#forgetOld(this.#closed, CLOSED_ORIGINS_MAX - 1, session.lastUsed);
    this.#closed.set(id, session);
  }

  /** Forgets the replies of sessions last used long before `position`, and all of those beyond `countMax`. */
  #forgetOld(sessions: Map<number, OriginSession>, countMax: number, position: number): void {
    for (const [id, session] of sessions) {
      const isOld = session.lastUsed < position - ORIGIN_REPLIES_KEPT_ENTRIES;
      if (isOld) session.replies.clear();
      if (sessions.size > countMax) {
        this.#originsForgotten = Math.max(this.#originsForgotten, session.opened);
        sessions.delete(id);
      } else if (!isOld) break;
    }
  }

  /** The second up to which clients' sessions were forgotten, when this may be one of them; undefined when not. */
  forgottenWith(client: string): number | undefined {
    if (this.#clients.has(client) || openedOf(client) > this.#clientsForgotten) return undefined;
    return this.#clientsForgotten;
  }

  /**
   * True for a session that claims to be opened too long after `nowMs`, the partition's time. The one that a client
   * opens because it was told of forgotten ones never is.
   */
  isAhead(client: string, nowMs: number): boolean {
    const latest = Math.max(nowMs / 1000 + AHEAD_SECONDS_MAX, this.#clientsForgotten + 1);
    return openedOf(client) > latest;
  }

  /** The reply given before, `forgotten` when it may have been applied but is too old to tell, or undefined. */
  repeatOf(client: string, sequence: number): { reply: Reply } | "forgotten" | undefined {
    const session = this.#clients.get(client);
    if (session === undefined) return undefined;
    const reply = session.replies.get(sequence);
    if (reply !== undefined) return { reply };
    return sequence <= session.forgottenUpTo ? "forgotten" : undefined;
  }

  remember(client: string, sequence: number, reply: Reply): void {
    const session = this.#clients.get(client) ?? { forgottenUpTo: 0, bytes: 0, replies: new Map() };
    this.#clients.delete(client);
    this.#clients.set(client, session);
    session.replies.set(sequence, reply);
    this.#count(session, bytesOf(reply));
    if (session.replies.size > REPLIES_PER_CLIENT_MAX) this.#forgetReply(session);
    for (const [oldest, old] of this.#clients) {
      if (this.#clientBytes <= CLIENT_REPLY_BYTES_MAX) break;
      // The newest reply of all stays: it has not been sent yet.
      while (old.replies.size > (oldest === client ? 1 : 0)) this.#forgetReply(old);
    }
    if (this.#clients.size > CLIENTS_MAX) {
      const [[oldest, old]] = this.#clients;
      this.#clientsForgotten = Math.max(this.#clientsForgotten, openedOf(oldest));
      this.#count(old, -old.bytes);
      this.#clients.delete(oldest);
    }
  }

  #forgetReply(session: ClientSession): void {
    const [[sequence, reply]] = session.replies;
    session.replies.delete(sequence);
    session.forgottenUpTo = Math.max(session.forgottenUpTo, sequence);
    this.#count(session, -bytesOf(reply));
  }

  #count(session: ClientSession, bytes: number): void {
    session.bytes += bytes;
    this.#clientBytes += bytes;
  }

  encode(writer: ByteWriter): void {
    writer.varint(this.#originsForgotten + 1);
    writer.varint(this.#clientsForgotten + 1);
    writer.varint(this.#origins.size + this.#closed.size);
    for (const [id, session] of [...this.#origins, ...this.#closed]) {
      writer.u48(id);
      writer.varint(session.opened);
      writer.varint(session.lastSequence);
      writer.u8(session.closed ? 1 : 0);
      writer.varint(session.lastUsed);
      writer.varint(session.replies.size);
      for (const [sequence, replies] of session.replies) {
        writer.varint(sequence);
        writer.varint(replies.length);
        for (const reply of replies) encodeReply(writer, reply);
      }
    }
    writer.varint(this.#clients.size);
    for (const [client, session] of this.#clients) {
      writer.latin1(client);
      writer.varint(session.forgottenUpTo);
      writer.varint(session.replies.size);
      for (const [sequence, reply] of session.replies) {
        writer.varint(sequence);
        encodeReply(writer, reply);
      }
    }
  }

  decode(reader: ByteReader): void {
    this.#origins.clear();
    this.#closed.clear();
    this.#clients.clear();
    this.#clientBytes = 0;
    this.#originsForgotten = reader.varint() - 1;
    this.#clientsForgotten = reader.varint() - 1;
    for (let left = reader.varint(); left > 0; left -= 1) {
      const id = reader.u48();
      const opened = reader.varint();
      const lastSequence = reader.varint();
      const closed = reader.u8() === 1;
      const lastUsed = reader.varint();
      const replies = new Map<number, readonly Reply[]>();
      for (let batches = reader.varint(); batches > 0; batches -= 1) {
        const sequence = reader.varint();
        const list: Reply[] = [];
        for (let count = reader.varint(); count > 0; count -= 1)
          list.push(retainReply(decodeReplyFrom(reader)));
        replies.set(sequence, list);
      }
      (closed ? this.#closed : this.#origins).set(id, { opened, lastSequence, closed, lastUsed, replies });
    }
    for (let left = reader.varint(); left > 0; left -= 1) {
      const client = reader.latin1();
      const session: ClientSession = { forgottenUpTo: reader.varint(), bytes: 0, replies: new Map() };
      for (let count = reader.varint(); count > 0; count -= 1) {
        const sequence = reader.varint();
        const reply = retainReply(decodeReplyFrom(reader));
        session.replies.set(sequence, reply);
        this.#count(session, bytesOf(reply));
      }
      this.#clients.set(client, session);
    }
  }
}

/** When a client opened its session: the second that its name begins with (`1732100000_…`), 0 for other names. */
function openedOf(client: string): number {
  return Number(/^([0-9]{1,10})_/.exec(client)?.[1] ?? 0);
}

/** The same on every replica, however the reply came to be. */
function bytesOf(reply: Reply): number {
  return REPLY_OVERHEAD_BYTES + (reply instanceof Slice ? reply.end - reply.start : 0);
}
