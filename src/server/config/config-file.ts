/** The YAML file of `--config`: its keys with their values and the lines that they stand on. */
import { readFile } from "node:fs/promises";
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { MinikeyError } from "../../core/errors.js";

export interface FileEntry {
  readonly value: unknown;
  readonly line: number;
}

/** Empty for an empty file. Rejects with `BAD_CONFIG`: unreadable, not YAML, or not a list of keys and values. */
export async function readConfigFile(path: string): Promise<ReadonlyMap<string, FileEntry>> {
  const lines = new LineCounter();
  const document = parseDocument(await readText(path), { lineCounter: lines, prettyErrors: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const [reason] = problem.message.split("\n");
    throw new MinikeyError("BAD_CONFIG", `${path} is not valid YAML: ${reason.replace(/:$/, "")}`);
  }
  const entries = new Map<string, FileEntry>();
  if (document.contents === null) return entries;
  if (!isMap(document.contents)) {
    throw new MinikeyError("BAD_CONFIG", `${path}: expected keys and values, such as httpPort: 8000`);
  }
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : String(key);
    const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
    const plain: unknown = value === null ? null : document.createNode(value).toJS(document);
    entries.set(name, { value: plain, line: lines.linePos(offset).line });
  }
  return entries;
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
