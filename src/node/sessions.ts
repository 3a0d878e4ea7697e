/**
 * Who wrote what already: for each origin node the number of its last batch, and the replies of the batches
 * that it has not acknowledged; for each client session (`ONCE`) the replies of its latest commands. A part of
 * the replicated state: the same on every replica, in checkpoints and snapshots (dissertation §6.3).
 *
 * Bounded by count, oldest use first, where "use" is a log position, so that every replica forgets the same.
 */

import type { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import type { Reply } from "../commands/reply.js";
import { decodeReplyFrom, encodeReply } from "../commands/reply-encoding.js";

/** Far above the nodes of a cluster times their restarts in the life of a retry. */
const ORIGINS_MAX = 4096;
const CLIENTS_MAX = 16_384;
/** Above the commands that a client keeps under way on one partition. */
const REPLIES_PER_CLIENT_MAX = 256;

export interface OriginSession {
  lastSequence: number;
  /** A command met a lock: the origin goes on in a new session, and nothing more is applied in this one. */
  closed: boolean;
  lastUsed: number;
  readonly replies: Map<number, readonly Reply[]>;
}

interface ClientSession {
  /** Replies of numbers up to here are forgotten: a repeat of one is refused. */
  forgottenUpTo: number;
  lastUsed: number;
  readonly replies: Map<number, Reply>;
}

export class Sessions {
  readonly #origins = new Map<number, OriginSession>();
  readonly #clients = new Map<string, ClientSession>();

  /** Undefined for a session never seen, or forgotten. */
  origin(id: number): OriginSession | undefined {
    return this.#origins.get(id);
  }

  openOrigin(id: number, position: number): OriginSession {
    if (this.#origins.size >= ORIGINS_MAX) forgetOldest(this.#origins);
    const session: OriginSession = { lastSequence: 0, closed: false, lastUsed: position, replies: new Map() };
    this.#origins.set(id, session);
    return session;
  }

  /** The reply given before, `forgotten` when it may have been applied but is too old to tell, or undefined. */
  repeatOf(client: string, sequence: number): { reply: Reply } | "forgotten" | undefined {
    const session = this.#clients.get(client);
    if (session === undefined) return undefined;
    const reply = session.replies.get(sequence);
    if (reply !== undefined) return { reply };
    return sequence <= session.forgottenUpTo ? "forgotten" : undefined;
  }

  remember(client: string, sequence: number, reply: Reply, position: number): void {
    let session = this.#clients.get(client);
    if (session === undefined) {
      if (this.#clients.size >= CLIENTS_MAX) forgetOldest(this.#clients);
      session = { forgottenUpTo: 0, lastUsed: position, replies: new Map() };
      this.#clients.set(client, session);
    }
    session.lastUsed = position;
    session.replies.set(sequence, reply);
    if (session.replies.size > REPLIES_PER_CLIENT_MAX) {
      const [oldest] = session.replies.keys();
      session.replies.delete(oldest);
      session.forgottenUpTo = Math.max(session.forgottenUpTo, oldest);
    }
  }

  encode(writer: ByteWriter): void {
    writer.varint(this.#origins.size);
    for (const [id, session] of this.#origins) {
      writer.u48(id);
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
      writer.varint(session.lastUsed);
      writer.varint(session.replies.size);
      for (const [sequence, reply] of session.replies) {
        writer.varint(sequence);
        encodeReply(writer, reply);
      }
    }
  }

  decode(reader: ByteReader): void {
    this.#origins.clear();
    this.#clients.clear();
    for (let left = reader.varint(); left > 0; left -= 1) {
      const id = reader.u48();
      const lastSequence = reader.varint();
      const closed = reader.u8() === 1;
      const lastUsed = reader.varint();
      const replies = new Map<number, readonly Reply[]>();
      for (let batches = reader.varint(); batches > 0; batches -= 1) {
        const sequence = reader.varint();
        const list: Reply[] = [];
        for (let count = reader.varint(); count > 0; count -= 1) list.push(decodeReplyFrom(reader));
        replies.set(sequence, list);
      }
      this.#origins.set(id, { lastSequence, closed, lastUsed, replies });
    }
    for (let left = reader.varint(); left > 0; left -= 1) {
      const client = reader.latin1();
      const forgottenUpTo = reader.varint();
      const lastUsed = reader.varint();
      const replies = new Map<number, Reply>();
      for (let count = reader.varint(); count > 0; count -= 1) {
        const sequence = reader.varint();
        replies.set(sequence, decodeReplyFrom(reader));
      }
      this.#clients.set(client, { forgottenUpTo, lastUsed, replies });
    }
  }
}

function forgetOldest<Id>(sessions: Map<Id, { readonly lastUsed: number }>): void {
  let oldest: Id | undefined;
  let oldestUse = Number.POSITIVE_INFINITY;
  for (const [id, session] of sessions) {
    if (session.lastUsed < oldestUse) {
      oldestUse = session.lastUsed;
      oldest = id;
    }
  }
  if (oldest !== undefined) sessions.delete(oldest);
}
