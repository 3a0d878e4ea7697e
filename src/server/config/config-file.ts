/**
 * The YAML file of `--config`: its keys with their values and the lines that they stand on. The library is loaded
 * by the first file, so that a start without one does not pay for it.
 */
import { readFile } from "node:fs/promises";
import type { Document, Node } from "yaml";
import { MinikeyError } from "../../core/errors.js";

export interface FileEntry {
  readonly value: unknown;
  readonly line: number;
}

/** Empty for an empty file. Rejects with `BAD_CONFIG`: unreadable, not YAML, or not a list of keys and values. */
export async function readConfigFile(path: string): Promise<ReadonlyMap<string, FileEntry>> {
  const text = await readText(path);
  const { isMap, isNode, isScalar, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw notYaml(path, problem);
  const entries = new Map<string, FileEntry>();
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return entries;
  if (!isMap(contents)) {
    throw new MinikeyError("BAD_CONFIG", `${path}: expected keys and values, such as httpPort: 8000`);
  }
  for (const { key, value } of contents.items) {
    const name = isScalar(key) ? String(key.value) : String(key);
    const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
    entries.set(name, {
      value: isNode(value) ? toPlain(path, document, value) : value,
      line: lines.linePos(offset).line,
    });
  }
  return entries;
}

/** An alias may lead nowhere, or to so much that YAML's reader refuses to copy it. */
function toPlain(path: string, document: Document, value: Node): unknown {
  try {
    return value.toJS(document);
  } catch (error) {
    throw notYaml(path, error as Error);
  }
}

function notYaml(path: string, error: Error): MinikeyError {
  const [reason] = error.message.split("\n");
  return new MinikeyError("BAD_CONFIG", `${path} is not valid YAML: ${reason.replace(/:$/, "")}`, {
    cause: error,
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : message;
    throw new MinikeyError("BAD_CONFIG", `cannot read the configuration ${path}: ${reason}`, {
      cause: error,
    });
  }
}
