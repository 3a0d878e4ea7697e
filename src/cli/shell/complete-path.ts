/**
 * Tab in a path of `QUERY`: the keys that begin with what is typed, and behind the last dot the fields (or
 * positions) of what the path before it leads to.
 */
import { keyFromText } from "../../core/bytes.js";
import { formatKeyPath } from "../../document/key-path.js";
import { quotedEnd } from "./compute-line.js";

export interface PathSource {
  keysWithPrefix(prefix: string, limit: number): Promise<string[]>;
  /** JSON text of what is at a path; undefined when nothing is, or no document. */
  documentAt(path: string): Promise<string | undefined>;
}

const CANDIDATES_MAX = 100;

/** Whole paths that may stand in the place of `typed`. */
export async function completePath(source: PathSource, typed: string): Promise<string[]> {
  const last = lastSegmentStart(typed);
  const keys = isOneKey(typed) ? await completeKey(source, typed) : [];
  const fields = last === 0 ? [] : await completeField(source, typed.slice(0, last - 1), typed.slice(last));
  return [...new Set([...keys, ...fields])].slice(0, CANDIDATES_MAX);
}

async function completeKey(source: PathSource, typed: string): Promise<string[]> {
  const keys = await source.keysWithPrefix(unquoteOpen(typed), CANDIDATES_MAX);
  return keys.map((key) => (typed.startsWith('"') ? JSON.stringify(key) : pathOfKey(key)));
}

async function completeField(source: PathSource, parent: string, typed: string): Promise<string[]> {
  const json = await source.documentAt(parent);
  if (json === undefined) return [];
  const value: unknown = JSON.parse(json);
  if (typeof value !== "object" || value === null) return [];
  const start = unquoteOpen(typed);
  const names = Object.keys(value).filter((name) => name.startsWith(start));
  return names.map((name) =>
    typed.startsWith('"') ? `${parent}.${JSON.stringify(name)}` : `${parent}.${formatted(name)}`,
  );
}

/** Bare, dots and all, unless blanks or quotes would break the path. */
const pathOfKey = (key: string): string => (/[\s"\\\p{Cc}]/u.test(key) ? formatted(key) : key);

const formatted = (segment: string): string => formatKeyPath(keyFromText(segment), []);

/** Where the segment starts that is being typed; 0 for the first. */
function lastSegmentStart(typed: string): number {
  let start = 0;
  for (;;) {
    const end = typed[start] === '"' ? quotedEnd(typed, start) : typed.indexOf(".", start);
    if (end < 0 || typed[end] !== ".") return start;
    start = end + 1;
  }
}

/** Nothing but a key yet: one segment in quotes, or several without. */
const isOneKey = (typed: string): boolean =>
  typed.startsWith('"') ? lastSegmentStart(typed) === 0 : !typed.includes('."');

/** What an open quote holds so far. */
const unquoteOpen = (typed: string): string =>
  typed.startsWith('"')
    ? typed
        .slice(1)
        .replace(/"$/, "")
        .replaceAll(/\\(["\\/])/g, "$1")
    : typed;
