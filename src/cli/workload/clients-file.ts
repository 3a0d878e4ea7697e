/**
 * The file that `--clients` names: a client a line, its id and its test file. Lines that begin with `#` and blank
 * lines count for nothing; a test file that is not given from the root lies beside the clients file.
 *
 *     # id  test file
 *     0     test_data_0.txt
 *     1,    test_data_1.txt
 */
import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { ExitError, unreadable } from "../failure.js";
import { linesOf, type Pair, parseTestFile } from "./test-file.js";

/** One of the clients that work at the same time. */
export interface TestClient {
  readonly id: string;
  readonly pairs: readonly Pair[];
}

export interface NamedFile {
  readonly id: string;
  readonly path: string;
}

const TROUBLES_SHOWN = 20;

/** Reads the clients and their test files. Fails with a line for everything that is wrong with any of them. */
export async function readClients(path: string): Promise<TestClient[]> {
  const troubles: string[] = [];
  const named = parseClients(await read(path), path, troubles);
  const clients: TestClient[] = [];
  for (const { id, path: testFile } of named) {
    try {
      clients.push({ id, pairs: parseTestFile(await read(testFile), testFile, troubles) });
    } catch (error) {
      if (!(error instanceof ExitError)) throw error;
      troubles.push(error.message);
    }
  }
  if (troubles.length > 0) throw new ExitError(listed(troubles));
  if (clients.length === 0)
    throw new ExitError(`${path} names no client: expected an id and a test file a line`);
  if (clients.every(({ pairs }) => pairs.length === 0)) {
    throw new ExitError(`the test files that ${path} names have no key:value lines`);
  }
  return clients;
}

/**
 * @param path for messages, and for where test files are
 * @param troubles gets a message for each bad line
 */
export function parseClients(content: Buffer, path: string, troubles: string[]): NamedFile[] {
  if (!isUtf8(content)) throw new ExitError(`${path} is not UTF-8`);
  const lineOfId = new Map<string, number>();
  const named: NamedFile[] = [];
  for (const [i, text] of linesOf(content).entries()) {
    const line = text.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, id, file] = /^([^\s,]+)(?:\s*,\s*|\s+)([^\s,].*)$/.exec(line) ?? [];
    const before = lineOfId.get(id);
    if (id === undefined) {
      troubles.push(
        `${path}:${i + 1}: expected a client's id and its test file, got ${JSON.stringify(line)}`,
      );
    } else if (before !== undefined) {
      troubles.push(`${path}:${i + 1}: client ${id} is in line ${before} already`);
    } else {
      lineOfId.set(id, i + 1);
      named.push({ id, path: isAbsolute(file) ? file : join(dirname(path), file) });
    }
  }
  return named;
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function listed(troubles: readonly string[]): string {
  const hidden = troubles.length - TROUBLES_SHOWN;
  const shown = troubles.slice(0, TROUBLES_SHOWN);
  return [...shown, ...(hidden > 0 ? [`… and ${hidden} more`] : [])].join("\nminikey: ");
}
