/**
 * Makes an environment, and looks at one before LMDB does.
 *
 * LMDB trusts its file, and the library behind it ends the process when it cannot open one. So what can be seen
 * from outside is checked first, to say what is wrong; and a new environment is built under another name and
 * renamed when it is complete, so that one that lacks anything is damaged, never half-made.
 *
 *     meta page (pages 0 and 1 of the file), LMDB's data format 2, little-endian
 *     0            24        28         32          48          96 … 136        144        152
 *     +------------+---------+----------+-- … ------+-----------+-- … +---------+----------+----------+
 *     | page head  | magic   | version  | map       | page size |     | root of | last page| txn id   |
 *     | 24 bytes   | u32     | u32      | 16 bytes  | u32       |     | main u64| u64      | u64      |
 *     +------------+---------+----------+-- … ------+-----------+-- … +---------+----------+----------+
 */
import { type FileHandle, mkdir, open, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asBytes, type Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { COMPLETE_KEYS, type LmdbModule, openStore } from "./binding.js";
import { encodeFormat, FORMAT_KEY, FORMAT_VERSION } from "./layout.js";

const DATA_FILE = "data.mdb";
const META_BYTES = 160;
const MAGIC_AT = 24;
const MAGIC = 0xbeef_c0de;
const VERSION_AT = 28;
const VERSION = 2;
const PAGE_SIZE_AT = 48;
const ROOT_AT = 136;
const NO_PAGE = 0xffff_ffff_ffff;
const PAGE_SIZES = new Set([4096, 8192, 16_384, 32_768, 65_536]);

/** Makes the environment at `path` unless there is one. */
export async function makeEnvironment(lmdb: LmdbModule, path: string): Promise<void> {
  if (await exists(join(path, DATA_FILE))) return;
  const fresh = `${path}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  const store = openStore(lmdb, fresh, COMPLETE_KEYS);
  store.transactionSync(() => {
    store.put(FORMAT_KEY, encodeFormat(FORMAT_VERSION));
  });
  await store.close();
  await syncDirectory(fresh);
  // An empty directory of this name may be there; anything else is not ours to replace.
  if (await exists(path)) await rmdir(path);
  await rename(fresh, path);
  await syncDirectory(dirname(path));
}

/** Rejects with `DATA_CORRUPT` when the file at `path` cannot be an environment, or not all of one. */
export async function checkEnvironment(path: string): Promise<void> {
  const name = join(path, DATA_FILE);
  const file = await open(name, "r+");
  try {
    const { size } = await file.stat();
    const first = await readMeta(file, name, 0);
    const pageBytes = first.readUInt32LE(PAGE_SIZE_AT);
    if (!PAGE_SIZES.has(pageBytes)) throw damaged(name, `pages of ${pageBytes} bytes`);
    const second = await readMeta(file, name, pageBytes);
    for (const meta of [first, second]) {
      const root = meta.readUIntLE(ROOT_AT, 6);
      if (root !== NO_PAGE && (root + 1) * pageBytes > size) {
        throw damaged(name, `it has ${size} bytes and page ${root} is missing`);
      }
    }
  } finally {
    await file.close();
  }
}

async function readMeta(file: FileHandle, name: string, position: number): Promise<Bytes> {
  const meta = asBytes(new Uint8Array(META_BYTES));
  const { bytesRead } = await file.read(meta, 0, META_BYTES, position);
  if (bytesRead < META_BYTES) throw damaged(name, "it is cut off");
  if (meta.readUInt32LE(MAGIC_AT) !== MAGIC) throw damaged(name, `no LMDB page at byte ${position}`);
  const version = meta.readUInt32LE(VERSION_AT) & 0xffff;
  if (version !== VERSION) throw damaged(name, `LMDB data format ${version}, not ${VERSION}`);
  return meta;
}

const damaged = (name: string, problem: string): MinikeyError =>
  new MinikeyError("DATA_CORRUPT", `${name} is damaged: ${problem}`);

/** Whether the process may reserve all the address space it likes; where that cannot be asked, it may. */
export async function hasAddressSpace(): Promise<boolean> {
  const limits = await readFile("/proc/self/limits", "latin1").catch(() => "");
  const limit = /Max address space\s+(\S+)/.exec(limits)?.[1];
  return limit === undefined || limit === "unlimited";
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Windows cannot open directories, and needs no such sync. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
