/**
 * The list of servers that `--servers` names: one a line, `ip port` or `host:port`; blank lines are left out.
 *
 *     127.0.0.1 6380
 *     127.0.0.1 6381
 */
import { readFile } from "node:fs/promises";
import { formatAddress, parseAddress } from "../../client/address.js";
import { MinikeyError } from "../../core/errors.js";
import { unreadable, usageError } from "../failure.js";

/** `host:port` of each server, in the order of the lines, each once. Fails with one line for every bad one. */
export async function readServersFile(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
  return parseServers(text, path);
}

/** @param name of the file, for messages */
export function parseServers(text: string, name: string): string[] {
  const addresses = new Set<string>();
  const troubles: string[] = [];
  for (const [i, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const words = line.split(/\s+/).filter((word) => word !== "");
    if (words.length === 0) continue;
    const address = addressOf(words);
    if (address === undefined)
      troubles.push(`${name}:${i + 1}: not "ip port": ${JSON.stringify(line.trim())}`);
    else addresses.add(address);
  }
  if (troubles.length > 0) throw usageError(troubles.join("\nminikey: "));
  if (addresses.size === 0) throw usageError(`${name}: it names no server (one a line: ip port)`);
  return [...addresses];
}

function addressOf(words: readonly string[]): string | undefined {
  const [first, port, ...more] = words;
  if (more.length > 0) return undefined;
  try {
    if (port === undefined) return /:\d+$/.test(first) ? formatAddress(parseAddress(first)) : undefined;
    if (!/^\d+$/.test(port)) return undefined;
    return formatAddress(parseAddress(first.includes(":") ? `[${first}]:${port}` : `${first}:${port}`));
  } catch (error) {
    if (error instanceof MinikeyError) return undefined;
    throw error;
  }
}
