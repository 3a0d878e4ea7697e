/** Small files that are durable at once; a rename takes a moment. For what a node keeps beside its log. */
import { type Bytes, copyBytes } from "../../src/core/bytes.js";
import type { Disk, DiskFile, OpenOptions } from "../../src/ports/disk.js";
import type { SimProcess } from "../world/world.js";

export class MapDisk implements Disk {
  readonly files: Map<string, Bytes>;
  readonly #process: SimProcess | undefined;

  constructor(files = new Map<string, Bytes>(), process?: SimProcess) {
    this.files = files;
    this.#process = process;
  }

  /** The same files, seen by a process that may die. */
  of(process: SimProcess): Disk {
    return new MapDisk(this.files, process);
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    await this.#pause();
    if (!this.files.has(path)) {
      if (options.create !== true) throw missing(path);
      this.files.set(path, copyBytes(new Uint8Array()));
    }
    return new MapFile(this.files, path);
  }

  async list(directory: string): Promise<string[]> {
    await this.#pause();
    const prefix = directory === "" ? "" : `${directory}/`;
    const within = [...this.files.keys()].filter((path) => path.startsWith(prefix));
    return [...new Set(within.map((path) => path.slice(prefix.length).split("/")[0]))].sort();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pause();
    const bytes = this.files.get(from);
    if (bytes === undefined) throw missing(from);
    this.files.set(to, bytes);
    this.files.delete(from);
  }

  async remove(path: string): Promise<void> {
    await this.#pause();
    this.files.delete(path);
  }

  async removeTree(directory: string): Promise<void> {
    await this.#pause();
    for (const path of [...this.files.keys()]) if (path.startsWith(`${directory}/`)) this.files.delete(path);
  }

  async syncDirectory(): Promise<void> {
    await this.#pause();
  }

  /** Never ends when the process dies meanwhile. */
  async #pause(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    await new Promise<void>((resolve) => {
      process.later(0.3, resolve);
    });
  }
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file, '${path}'`), { code: "ENOENT" });
}

class MapFile implements DiskFile {
  readonly #files: Map<string, Bytes>;
  readonly #path: string;

  constructor(files: Map<string, Bytes>, path: string) {
    this.#files = files;
    this.#path = path;
  }

  async sizeBytes(): Promise<number> {
    return await Promise.resolve(this.#files.get(this.#path)?.length ?? 0);
  }

  async read(target: Bytes, positionBytes: number): Promise<number> {
    await Promise.resolve();
    return this.#files.get(this.#path)?.copy(target, 0, positionBytes) ?? 0;
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    await Promise.resolve();
    const [first] = parts;
    this.#files.set(this.#path, copyBytes(first));
  }

  async sync(): Promise<void> {
    await Promise.resolve();
  }

  async truncate(): Promise<void> {
    await Promise.resolve();
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}
