import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { asBytes } from "../../../src/core/bytes.js";
import { openDisk } from "../../../src/platform/disk.js";

describe("the system's disk", () => {
  let root: string;
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "minikey-disk-"));
  });
  afterEach(() => {
    mock.restoreAll();
    fs.rmSync(root, { recursive: true });
  });

  it("makes the data directory with its parents, for the owner's eyes only where it writes", async () => {
    const disk = await openDisk(path.join(root, "a", "b"));
    await (await disk.open("f", { create: true })).close();
    assert.equal(fs.statSync(path.join(root, "a", "b", "f")).mode & 0o777, 0o600);
  });

  it("makes each new directory durable in its parent", async () => {
    const synced: string[] = [];
    const { fsync } = fs;
    mock.method(fs, "fsync", (descriptor: number, done: fs.NoParamCallback) => {
      synced.push(fs.readlinkSync(`/proc/self/fd/${descriptor}`));
      fsync(descriptor, done);
    });
    const disk = await openDisk(root);
    assert.equal(synced.length, 0, "nothing new");
    await (await disk.open("x/y/z/f", { create: true })).close();
    const real = fs.realpathSync(root);
    assert.deepEqual(
      synced.toSorted((a, b) => a.length - b.length),
      [real, path.join(real, "x"), path.join(real, "x/y")],
    );
  });

  it("goes on where the system takes or gives less than it was asked", async () => {
    const { write, read } = fs;
    type Count = (error: NodeJS.ErrnoException | null, count: number) => void;
    // A signal or a full socket buffer does this; for files it needs some help.
    mock.method(
      fs,
      "write",
      (fd: number, part: Buffer, from: number, size: number, at: number, done: Count) =>
        write(fd, part, from, Math.min(size, 3), at, done),
    );
    mock.method(fs, "writev", (fd: number, parts: Buffer[], at: number, done: Count) => {
      const two = Buffer.concat(parts.slice(0, 2));
      write(fd, two, 0, Math.min(two.length, 7), at, done);
    });
    mock.method(fs, "read", (fd: number, into: Buffer, from: number, size: number, at: number, done: Count) =>
      read(fd, into, from, Math.min(size, 5), at, done),
    );
    const file = await (await openDisk(root)).open("f", { create: true });
    await file.write([Buffer.from("0123456789")], 0);
    await file.write(
      ["ab", "", "cdefghijkl", "mn", "opqrstu"].map((text) => Buffer.from(text)),
      10,
    );
    const target = Buffer.alloc(40);
    assert.equal(await file.read(asBytes(target), 0), 31);
    assert.equal(target.subarray(0, 31).toString(), "0123456789abcdefghijklmnopqrstu");
    await file.close();
  });

  it("does not try for ever where the system takes nothing", async () => {
    type Count = (error: NodeJS.ErrnoException | null, count: number) => void;
    mock.method(
      fs,
      "write",
      (_: number, _part: Buffer, _from: number, _size: number, _at: number, done: Count) =>
        setImmediate(done, null, 0),
    );
    const file = await (await openDisk(root)).open("f", { create: true });
    await assert.rejects(file.write([Buffer.from("x")], 0), { code: "EIO" });
    await file.close();
  });

  for (const [platform, expected] of [
    ["linux", 0],
    ["darwin", 2],
  ] as const) {
    it(`makes durable writes on ${platform} with ${expected} syncs of their own`, async () => {
      const original = Object.getOwnPropertyDescriptor(process, "platform")!;
      const { fdatasync } = fs;
      let syncs = 0;
      mock.method(fs, "fdatasync", (descriptor: number, done: fs.NoParamCallback) => {
        syncs += 1;
        fdatasync(descriptor, done);
      });
      Object.defineProperty(process, "platform", { ...original, value: platform });
      try {
        const file = await (await openDisk(root)).open("f", { create: true, durable: true });
        await file.write([Buffer.from("x")], 0);
        await file.write([Buffer.from("y"), Buffer.from("z")], 1);
        await file.close();
      } finally {
        Object.defineProperty(process, "platform", original);
      }
      assert.equal(fs.readFileSync(path.join(root, "f"), "utf8"), "xyz");
      assert.equal(syncs, expected);
    });
  }

  it("asks Linux for durable writes when it opens the file", {
    skip: process.platform !== "linux" && "not Linux",
  }, async () => {
    const flagsOf = async (durable: boolean): Promise<number> => {
      const opened: number[] = [];
      const { open } = fs;
      const spy = mock.method(
        fs,
        "open",
        (
          file: string,
          flags: number,
          mode: number,
          done: (error: NodeJS.ErrnoException | null, fd: number) => void,
        ) => {
          opened.push(flags);
          open(file, flags, mode, done);
        },
      );
      const file = await (await openDisk(root)).open("f", { create: true, durable });
      await file.close();
      spy.mock.restore();
      return opened[0];
    };
    const { O_DSYNC } = fs.constants;
    assert.equal((await flagsOf(true)) & O_DSYNC, O_DSYNC);
    assert.equal((await flagsOf(false)) & O_DSYNC, 0);
  });

  it("tells when the disk is full", {
    skip: !fs.existsSync("/dev/full") && "there is no /dev/full",
  }, async () => {
    fs.symlinkSync("/dev/full", path.join(root, "f"));
    const file = await (await openDisk(root)).open("f");
    await assert.rejects(file.write([Buffer.from("x")], 0), { code: "ENOSPC" });
    await file.close();
  });
});
