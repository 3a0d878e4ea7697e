/**
 * Conditional requests (RFC 9110 §13). A key's entity tag is its version in double quotes; a version is never
 * used twice for a key, so equal tags mean the same write.
 */
import type { IncomingHttpHeaders } from "node:http";
import { MinikeyError } from "../../core/errors.js";

/** As `KV.PUT` takes it: `nx` only when missing, `xx` only when there, `match` only at `version`. */
export interface WriteCondition {
  readonly mode: "any" | "nx" | "xx" | "match";
  /** 0 unless `match`. */
  readonly version: number;
}

const ANY: WriteCondition = { mode: "any", version: 0 };
const CREATE_ONLY: WriteCondition = { mode: "nx", version: 0 };
const REPLACE_ONLY: WriteCondition = { mode: "xx", version: 0 };

export const entityTag = (version: number): string => `"${version}"`;

/** What `If-Match` and `If-None-Match` ask of a write. `BAD_REQUEST` for what cannot be asked. */
export function writeCondition(headers: IncomingHttpHeaders): WriteCondition {
  const ifMatch = headers["if-match"];
  const ifNoneMatch = headers["if-none-match"];
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw new MinikeyError("BAD_REQUEST", "If-Match and If-None-Match exclude each other");
  }
  if (ifMatch?.trim() === "*") return REPLACE_ONLY;
  if (ifMatch !== undefined) return { mode: "match", version: oneVersion(ifMatch) };
  if (ifNoneMatch === undefined) return ANY;
  if (ifNoneMatch.trim() === "*") return CREATE_ONLY;
  throw new MinikeyError("BAD_REQUEST", `If-None-Match: expected * for a write, got ${ifNoneMatch}`);
}

function oneVersion(header: string): number {
  const match = /^"([1-9]\d{0,15})"$/.exec(header.trim());
  const version = Number(match?.[1]);
  if (!Number.isSafeInteger(version)) {
    throw new MinikeyError(
      "BAD_REQUEST",
      `If-Match: expected * or one version in double quotes, such as "3", got ${header}`,
    );
  }
  return version;
}

/**
 * True when `header`, a list of entity tags or `*`, names `version`: with `If-None-Match` also by a weak tag, with
 * `If-Match` not (§8.8.3.2, §13.1). A tag that is none of ours names no version.
 */
export function namesVersion(header: string, version: number, weak: boolean): boolean {
  if (header.trim() === "*") return true;
  const tag = entityTag(version);
  return header.split(",").some((one) => {
    const given = one.trim();
    return given === tag || (weak && given === `W/${tag}`);
  });
}
