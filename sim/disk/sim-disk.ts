/**
 * A disk in memory that keeps apart what is durable and what only the page cache knows, and can stop at any
 * operation: by a kill (the cache survives), or by a power loss, in which each unsynced write survives wholly,
 * in part or not at all, and each new name, rename and removal until `syncDirectory` does or does not.
 *
 * All chances come from one generator, so a seed replays a run. Operations take a random number of
 * microtasks, so those that run at the same time end in any order.
 */
import type { Bytes } from "../../src/core/bytes.js";
import type { Disk, DiskFile, OpenOptions } from "../../src/ports/disk.js";
import { SeededRandom } from "../world/random.js";

export const SECTOR_BYTES = 512;

/** Uniform in [0, 1). */
export type Chance = () => number;

export function seededChance(seed: number): Chance {
  const seeded = new SeededRandom(seed);
  return () => seeded.unit();
}

type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly size: number };

/** A file's content, whatever its name. */
class Inode {
  /** What reads see. */
  cache: Buffer = Buffer.alloc(0);
  /** What is on the medium for certain. */
  durable: Buffer = Buffer.alloc(0);
  /** In the cache, and perhaps on the medium. */
  pending: Change[] = [];
}

type NameChange = { readonly directory: string } & (
  | { readonly kind: "link"; readonly path: string; readonly inode: Inode }
  | { readonly kind: "unlink"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string }
);

/** How an operation ends: done, refused with an error, or cut short because the machine stopped. */
type Ending = "done" | "failed" | "stopped";

interface Operation {
  readonly number: number;
  readonly effect: (ending: Ending) => unknown;
}

export class SimDisk implements Disk {
  /** Operations begun so far. */
  operations = 0;
  /** The machine stops when the operation with this number is under way. */
  stopAt = Number.POSITIVE_INFINITY;
  /** The operation with this number is refused with an error of this code. */
  failAt: { operation: number; code: string } | undefined;
  /** Asked of every operation: the code of the error that refuses it, if any. */
  refuse: ((name: string) => string | undefined) | undefined;
  /** Operations refused so far. */
  refusals = 0;
  /** There is no space: what would make a file longer is refused. */
  isFull = false;
  /** Names of the operations so far, for the messages of failing tests. */
  readonly history: string[] = [];
  /** Resolves when the machine stops. */
  readonly whenStopped: Promise<void>;
  stopped = false;
  readonly #chance: Chance;
  readonly #onOperation: ((name: string) => void) | undefined;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #pendingNames: NameChange[] = [];
  readonly #underWay = new Set<Operation>();
  #resolveStopped: () => void = () => undefined;

  /** `onOperation` is told of every operation as it begins. */
  constructor(chance: Chance, onOperation?: (name: string) => void) {
    this.#chance = chance;
    this.#onOperation = onOperation;
    this.whenStopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** The machine stops now: nothing that was asked of this disk is ever answered again. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    for (const { effect } of this.#underWay) {
      try {
        effect("stopped");
      } catch {
        // It would have been refused, and nobody is there to hear of it.
      }
    }
    this.#underWay.clear();
    this.#resolveStopped();
  }

  /** The disk as the next process finds it after the machine stopped; this object is of no use any more. */
  restart(how: "kill" | "power loss"): SimDisk {
    this.stop();
    const next = new SimDisk(this.#chance, this.#onOperation);
    next.isFull = this.isFull;
    if (how === "kill") {
      next.#names = this.#names;
      next.#durableNames = this.#durableNames;
      next.#pendingNames = this.#pendingNames;
      return next;
    }
    const names = new Map(this.#durableNames);
    const survivalOfNames = this.#chance();
    for (const change of this.#pendingNames) if (this.#chance() < survivalOfNames) applyName(names, change);
    for (const inode of new Set(names.values())) this.#losePower(inode);
    next.#names = names;
    next.#durableNames = new Map(names);
    return next;
  }

  /** A file as reads see it. */
  contents(path: string): Buffer {
    return Buffer.from(this.#find(path).cache);
  }

  /** Makes or replaces a file, durably: for damage. */
  setContents(path: string, bytes: Uint8Array): void {
    const inode = new Inode();
    inode.cache = Buffer.from(bytes);
    inode.durable = Buffer.from(bytes);
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  /** One bit of a file is another from now on, on the medium as in the cache. */
  flipBit(path: string, position: number, bit: number): void {
    const inode = this.#find(path);
    for (const content of new Set([inode.cache, inode.durable])) {
      if (position < content.length) content[position] ^= 1 << bit;
    }
  }

  /** All files, sorted. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  async open(path: string, options: OpenOptions = {}): Promise<DiskFile> {
    const inode = await this.#run(`open ${path}`, (ending) => {
      const known = this.#names.get(path);
      if (known !== undefined) return known;
      if (options.create !== true) throw errno("ENOENT", path);
      const created = new Inode();
      if (ending === "done" || this.#chance() < 0.5) {
        this.#changeName({ directory: directoryOf(path), kind: "link", path, inode: created });
      }
      return created;
    });
    return new SimFile(this, path, inode, options.durable === true);
  }

  list(directory: string): Promise<string[]> {
    return this.#run(`list ${directory}`, () => {
      const prefix = directory === "" || directory === "." ? "" : `${directory}/`;
      const names = [...this.#names.keys()].filter((path) => path.startsWith(prefix));
      return [...new Set(names.map((path) => path.slice(prefix.length).split("/")[0]))].sort();
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run(`rename ${from}`, (ending) => {
      this.#find(from);
      if (ending !== "done" && this.#chance() < 0.5) return;
      this.#changeName({ directory: directoryOf(to), kind: "rename", path: from, to });
    });
  }

  remove(path: string): Promise<void> {
    return this.#run(`remove ${path}`, (ending) => {
      this.#find(path);
      if (ending !== "done" && this.#chance() < 0.5) return;
      this.#changeName({ directory: directoryOf(path), kind: "unlink", path });
    });
  }

  removeTree(directory: string): Promise<void> {
    return this.#run(`remove tree ${directory}`, (ending) => {
      for (const path of this.paths()) {
        if (!path.startsWith(`${directory}/`) && path !== directory) continue;
        if (ending !== "done" && this.#chance() < 0.5) continue;
        this.#changeName({ directory: directoryOf(path), kind: "unlink", path });
      }
    });
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#run(`sync directory ${directory}`, (ending) => {
      if (ending !== "done") return;
      const due = this.#pendingNames.filter((change) => change.directory === directory);
      this.#pendingNames = this.#pendingNames.filter((change) => change.directory !== directory);
      for (const change of due) applyName(this.#durableNames, change);
    });
  }

  /** For `SimFile`. */
  sizeBytes(path: string, inode: Inode): Promise<number> {
    return this.#run(`size of ${path}`, () => inode.cache.length);
  }

  /** For `SimFile`. */
  read(path: string, inode: Inode, target: Bytes, position: number): Promise<number> {
    return this.#run(`read ${path}`, () =>
      position >= inode.cache.length ? 0 : inode.cache.copy(target, 0, position),
    );
  }

  /** For `SimFile`. The bytes are taken when the write ends: they must not change before. */
  write(
    path: string,
    inode: Inode,
    parts: readonly Uint8Array[],
    position: number,
    durable: boolean,
  ): Promise<void> {
    const end = parts.reduce((sum, part) => sum + part.length, position);
    const isRefused = this.isFull && end > inode.cache.length;
    const effect = (ending: Ending): void => {
      const whole = Buffer.concat(parts);
      const bytes = ending === "done" ? whole : whole.subarray(0, this.#below(whole.length + 1));
      this.#change(inode, { kind: "write", position, bytes });
      if (!durable) return;
      if (ending === "done") settle(inode);
      else if (ending === "failed") this.#failSync(inode);
    };
    return this.#run(`write ${path} at ${position}`, effect, isRefused ? "ENOSPC" : undefined);
  }

  /** For `SimFile`. */
  sync(path: string, inode: Inode): Promise<void> {
    return this.#run(`sync ${path}`, (ending) => {
      if (ending === "done") settle(inode);
      else if (ending === "failed") this.#failSync(inode);
    });
  }

  /** For `SimFile`. */
  truncate(path: string, inode: Inode, size: number): Promise<void> {
    return this.#run(`truncate ${path} to ${size}`, (ending) => {
      if (ending !== "done" && this.#chance() < 0.5) return;
      this.#change(inode, { kind: "truncate", size });
    });
  }

  async #run<T>(name: string, effect: (ending: Ending) => T, refusal?: string): Promise<T> {
    if (this.stopped) return never();
    this.operations += 1;
    const operation: Operation = { number: this.operations, effect };
    this.history.push(name);
    this.#onOperation?.(name);
    this.#underWay.add(operation);
    for (let turns = this.#below(4); turns >= 0; turns -= 1) await Promise.resolve();
    if (operation.number >= this.stopAt) this.stop();
    if (this.stopped) return never();
    this.#underWay.delete(operation);
    const code =
      operation.number === this.failAt?.operation ? this.failAt.code : (refusal ?? this.refuse?.(name));
    if (code === undefined) return effect("done");
    this.refusals += 1;
    effect("failed");
    throw errno(code, name);
  }

  #find(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw errno("ENOENT", path);
    return inode;
  }

  #changeName(change: NameChange): void {
    applyName(this.#names, change);
    this.#pendingNames.push(change);
  }

  #change(inode: Inode, change: Change): void {
    inode.cache = applyChange(inode.cache, change);
    inode.pending.push(change);
  }

  /** After a failed sync the kernel takes the pages for clean, whatever became of them. */
  #failSync(inode: Inode): void {
    for (const change of inode.pending) inode.durable = this.#surviving(inode.durable, change);
    inode.pending = [];
  }

  #losePower(inode: Inode): void {
    for (const change of inode.pending) inode.durable = this.#surviving(inode.durable, change);
    inode.pending = [];
    inode.cache = Buffer.from(inode.durable);
  }

  /** The content after a change that the medium took wholly, in part, or not. */
  #surviving(content: Buffer, change: Change): Buffer {
    const fate = this.#chance();
    if (fate < 0.25) return content;
    if (fate < 0.4 || change.kind === "truncate") return applyChange(content, change);
    if (fate < 0.6) return applyChange(content, { ...change, bytes: this.#prefix(change.bytes) });
    return this.#someSectors(content, change.position, change.bytes);
  }

  #prefix(bytes: Buffer): Buffer {
    return bytes.subarray(0, this.#below(bytes.length + 1));
  }

  /** Each sector for itself arrives, does not arrive, or is torn at some byte. */
  #someSectors(content: Buffer, position: number, bytes: Buffer): Buffer {
    let result = content;
    const arrival = this.#chance();
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
      const fate = this.#chance();
      let sector = bytes.subarray(at, end);
      if (fate > arrival) sector = fate > 0.9 ? this.#prefix(sector) : sector.subarray(0, 0);
      if (sector.length > 0) {
        result = applyChange(result, { kind: "write", position: position + at, bytes: sector });
      }
      at = end;
    }
    return result;
  }

  #below(bound: number): number {
    return Math.floor(this.#chance() * bound);
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk;
  readonly #path: string;
  readonly #inode: Inode;
  readonly #durable: boolean;

  constructor(disk: SimDisk, path: string, inode: Inode, durable: boolean) {
    this.#disk = disk;
    this.#path = path;
    this.#inode = inode;
    this.#durable = durable;
  }

  sizeBytes(): Promise<number> {
    return this.#disk.sizeBytes(this.#path, this.#inode);
  }

  read(target: Bytes, positionBytes: number): Promise<number> {
    return this.#disk.read(this.#path, this.#inode, target, positionBytes);
  }

  write(parts: readonly Uint8Array[], positionBytes: number): Promise<void> {
    return this.#disk.write(this.#path, this.#inode, parts, positionBytes, this.#durable);
  }

  sync(): Promise<void> {
    return this.#disk.sync(this.#path, this.#inode);
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#disk.truncate(this.#path, this.#inode, sizeBytes);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function settle(inode: Inode): void {
  for (const change of inode.pending) inode.durable = applyChange(inode.durable, change);
  inode.pending = [];
}

/** The content after a change: in place where there is room, for cache and medium never share their bytes. */
function applyChange(content: Buffer, change: Change): Buffer {
  if (change.kind === "truncate") {
    const cut = Buffer.alloc(change.size);
    content.copy(cut);
    return cut;
  }
  const sizeBytes = change.position + change.bytes.length;
  let changed = content;
  if (sizeBytes > content.length) {
    changed = Buffer.alloc(sizeBytes);
    content.copy(changed);
  }
  change.bytes.copy(changed, change.position);
  return changed;
}

function applyName(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === "link") {
    names.set(change.path, change.inode);
    return;
  }
  const inode = names.get(change.path);
  names.delete(change.path);
  if (change.kind === "rename" && inode !== undefined) names.set(change.to, inode);
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

function errno(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${what}`), { code });
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
