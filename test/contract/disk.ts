/** What every `Disk` must do; run on each implementation. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asBytes } from "../../src/core/bytes.js";
import type { Disk, DiskFile } from "../../src/ports/disk.js";

const bytes = (text: string): Buffer => Buffer.from(text);

async function readAll(file: DiskFile): Promise<string> {
  const target = Buffer.alloc(await file.sizeBytes());
  assert.equal(await file.read(asBytes(target), 0), target.length);
  return target.toString();
}

/** `open`: a disk with nothing on it. */
export function testDisk(name: string, open: () => Promise<Disk>): void {
  describe(`a disk (${name})`, () => {
    it("refuses to open a file that is missing, unless it is to be created", async () => {
      const disk = await open();
      await assert.rejects(disk.open("a"), { code: "ENOENT" });
      await (await disk.open("a", { create: true })).close();
      await (await disk.open("a")).close();
    });

    it("makes parent directories for what is created or renamed", async () => {
      const disk = await open();
      await (await disk.open("x/y/a", { create: true })).close();
      await disk.rename("x/y/a", "u/v/b");
      await disk.syncDirectory("u/v");
      assert.deepEqual(await disk.list("x/y"), []);
      assert.deepEqual(await disk.list("u/v"), ["b"]);
    });

    for (const durable of [false, true]) {
      it(`reads what was written, in parts and anywhere (${durable ? "durable" : "plain"} writes)`, async () => {
        const disk = await open();
        const file = await disk.open("a", { create: true, durable });
        await file.write([bytes("hello"), bytes(""), bytes(" "), bytes("world")], 0);
        await file.write([bytes("W")], 6);
        await file.write([], 3);
        await file.write([bytes("!")], 13);
        if (!durable) await file.sync();
        assert.equal(await readAll(file), "hello World\0\0!");
        await file.close();
        const again = await disk.open("a");
        assert.equal(await readAll(again), "hello World\0\0!");
        await again.close();
      });
    }

    it("writes more parts at once than the system takes", async () => {
      const disk = await open();
      const file = await disk.open("a", { create: true });
      const parts = Array.from({ length: 3000 }, (_, i) => bytes(`${i},`));
      await file.write(parts, 5);
      const target = Buffer.alloc(20_000);
      const count = await file.read(asBytes(target), 5);
      assert.equal(target.subarray(0, count).toString(), Buffer.concat(parts).toString());
      await file.close();
    });

    it("reads less at the end of a file, and nothing behind it", async () => {
      const disk = await open();
      const file = await disk.open("a", { create: true });
      await file.write([bytes("abc")], 0);
      const target = Buffer.alloc(5, "-");
      assert.equal(await file.read(asBytes(target), 1), 2);
      assert.equal(target.toString(), "bc---");
      assert.equal(await file.read(asBytes(target), 3), 0);
      assert.equal(await file.read(asBytes(target), 99), 0);
      await file.close();
    });

    it("cuts a file, and lengthens it with zeros", async () => {
      const disk = await open();
      const file = await disk.open("a", { create: true });
      await file.write([bytes("abcdef")], 0);
      await file.truncate(3);
      assert.equal(await readAll(file), "abc");
      await file.truncate(5);
      await file.sync();
      assert.equal(await readAll(file), "abc\0\0");
      await file.close();
    });

    it("does independent writes at the same time", async () => {
      const disk = await open();
      const file = await disk.open("a", { create: true });
      await Promise.all(Array.from({ length: 50 }, (_, i) => file.write([bytes(String(i % 10))], i)));
      assert.equal(await readAll(file), "0123456789".repeat(5));
      await file.close();
    });

    it("lists a directory's names in order, and none of one that does not exist", async () => {
      const disk = await open();
      for (const path of ["d/b", "d/a", "d/c/x", "e"])
        await (await disk.open(path, { create: true })).close();
      assert.deepEqual(await disk.list("d"), ["a", "b", "c"]);
      assert.deepEqual(await disk.list("nowhere"), []);
    });

    it("replaces a file by renaming another, and keeps an open file's content", async () => {
      const disk = await open();
      const old = await disk.open("a", { create: true });
      await old.write([bytes("old")], 0);
      const fresh = await disk.open("b", { create: true });
      await fresh.write([bytes("new")], 0);
      await disk.rename("b", "a");
      const renamed = await disk.open("a");
      assert.equal(await readAll(renamed), "new");
      assert.equal(await readAll(old), "old");
      await assert.rejects(disk.open("b"), { code: "ENOENT" });
      for (const file of [old, fresh, renamed]) await file.close();
    });

    it("removes files and trees, and tells of a file that is missing", async () => {
      const disk = await open();
      for (const path of ["d/a", "d/e/b", "dd"]) await (await disk.open(path, { create: true })).close();
      await disk.remove("d/a");
      assert.deepEqual(await disk.list("d"), ["e"]);
      await assert.rejects(disk.remove("d/a"), { code: "ENOENT" });
      await assert.rejects(disk.rename("d/a", "x"), { code: "ENOENT" });
      await disk.removeTree("d");
      await disk.removeTree("d");
      assert.deepEqual(await disk.list("d"), []);
      await (await disk.open("dd")).close();
    });
  });
}
