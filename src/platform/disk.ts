/**
 * Files of the operating system behind the `Disk` port.
 *
 * Every operation goes to Node.js's thread pool through the callback interface of `node:fs`, whose promises
 * cost more. Reads and writes go on until all is done: the system may take a part of what it is given.
 */
import fs from "node:fs";
import path from "node:path";
import type { Bytes } from "../core/bytes.js";
import type { Disk, DiskFile, OpenOptions } from "../ports/disk.js";

/** Opens a data directory, and makes it (durably) when it is missing. */
export async function openDisk(directory: string): Promise<Disk> {
  const root = path.resolve(directory);
  await makeDirectory(root);
  return new SystemDisk(root);
}

class SystemDisk implements Disk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async open(file: string, options: OpenOptions = {}): Promise<DiskFile> {
    const where = this.#resolve(file);
    const { O_RDWR, O_CREAT, O_DSYNC } = fs.constants;
    const durable = options.durable === true;
    const dsync = durable && hasDurableWrites();
    const flags = O_RDWR | (options.create === true ? O_CREAT : 0) | (dsync ? O_DSYNC : 0);
    const syncWrites = durable && !dsync;
    const openFile = (): Promise<number> => call((done) => fs.open(where, flags, 0o600, done));
    try {
      return new SystemFile(await openFile(), syncWrites);
    } catch (error) {
      if (options.create !== true || !isCode(error, "ENOENT")) throw error;
      await makeDirectory(path.dirname(where));
      return new SystemFile(await openFile(), syncWrites);
    }
  }

  async list(directory: string): Promise<string[]> {
    try {
      const names = await call<string[]>((done) => fs.readdir(this.#resolve(directory), done));
      return names.sort();
    } catch (error) {
      if (isCode(error, "ENOENT")) return [];
      throw error;
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const target = this.#resolve(to);
    await makeDirectory(path.dirname(target));
    await call<void>((done) => fs.rename(this.#resolve(from), target, done));
  }

  remove(file: string): Promise<void> {
    return call((done) => fs.unlink(this.#resolve(file), done));
  }

  removeTree(directory: string): Promise<void> {
    return call((done) => fs.rm(this.#resolve(directory), { recursive: true, force: true }, done));
  }

  syncDirectory(directory: string): Promise<void> {
    return syncDirectoryAt(this.#resolve(directory));
  }

  #resolve(relative: string): string {
    return path.join(this.#root, relative);
  }
}

class SystemFile implements DiskFile {
  readonly #descriptor: number;
  readonly #syncWrites: boolean;

  constructor(descriptor: number, syncWrites: boolean) {
    this.#descriptor = descriptor;
    this.#syncWrites = syncWrites;
  }

  async sizeBytes(): Promise<number> {
    return (await call<fs.Stats>((done) => fs.fstat(this.#descriptor, done))).size;
  }

  async read(target: Bytes, positionBytes: number): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const count = await this.#readOnce(target, done, positionBytes + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  #readOnce(target: Bytes, from: number, positionBytes: number): Promise<number> {
    return call((done) =>
      fs.read(this.#descriptor, target, from, target.length - from, positionBytes, (error, count) =>
        done(error, count),
      ),
    );
  }

  async write(parts: readonly Uint8Array[], positionBytes: number): Promise<void> {
    if (parts.length === 1) await this.#writeOne(parts[0], positionBytes);
    else await this.#writeMany(parts, positionBytes);
    if (this.#syncWrites) await this.sync();
  }

  async #writeOne(part: Uint8Array, positionBytes: number): Promise<void> {
    for (let from = 0; from < part.length; ) {
      const start = from;
      const count = await call<number>((done) =>
        fs.write(this.#descriptor, part, start, part.length - start, positionBytes + start, (error, count) =>
          done(error, count),
        ),
      );
      from += requireProgress(count);
    }
  }

  async #writeMany(parts: readonly Uint8Array[], positionBytes: number): Promise<void> {
    let rest = parts.filter((part) => part.length > 0);
    let position = positionBytes;
    while (rest.length > 0) {
      const at = position;
      const batch = rest;
      const count = await call<number>((done) =>
        fs.writev(this.#descriptor, batch, at, (error, count) => done(error, count)),
      );
      position += requireProgress(count);
      rest = dropBytes(batch, count);
    }
  }

  sync(): Promise<void> {
    return call((done) => fs.fdatasync(this.#descriptor, done));
  }

  truncate(sizeBytes: number): Promise<void> {
    return call((done) => fs.ftruncate(this.#descriptor, sizeBytes, done));
  }

  close(): Promise<void> {
    return call((done) => fs.close(this.#descriptor, done));
  }
}

/**
 * On Linux a write to a file opened with O_DSYNC is what write and `fdatasync` are, in one trip. macOS stops at
 * the drive's cache, which Node.js's `fdatasync` does flush, and Windows has nothing like it.
 */
function hasDurableWrites(): boolean {
  return process.platform === "linux";
}

/** What is left of `parts` after their first `count` bytes. */
function dropBytes(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let first = 0;
  while (first < parts.length && left >= parts[first].length) {
    left -= parts[first].length;
    first += 1;
  }
  const rest = parts.slice(first);
  if (left > 0) rest[0] = rest[0].subarray(left);
  return rest;
}

/** A write that takes nothing and reports nothing would be tried for ever. */
function requireProgress(count: number): number {
  if (count > 0) return count;
  throw Object.assign(new Error("EIO: the system wrote nothing"), { code: "EIO" });
}

/** Makes a directory with its parents, and each new name durable. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await call<string | undefined>((done) => fs.mkdir(directory, { recursive: true }, done));
  if (first === undefined) return;
  const top = path.dirname(first);
  for (let parent = path.dirname(directory); ; parent = path.dirname(parent)) {
    await syncDirectoryAt(parent);
    if (parent === top || parent === path.dirname(parent)) return;
  }
}

async function syncDirectoryAt(directory: string): Promise<void> {
  // Windows cannot open a directory, and makes names durable by itself.
  if (process.platform === "win32") return;
  const descriptor = await call<number>((done) => fs.open(directory, "r", done));
  try {
    await call<void>((done) => fs.fsync(descriptor, done));
  } finally {
    await call<void>((done) => fs.close(descriptor, done));
  }
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value as T) : reject(error)));
  });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
