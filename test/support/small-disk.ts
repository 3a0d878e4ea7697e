/** A file system of a few megabytes, to be filled up: a tmpfs, which only root may mount. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MIB = 1024 * 1024;

export class SmallDisk {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Mounts one, or says why it cannot be had here. */
  static mount(sizeMib: number): SmallDisk | { readonly reason: string } {
    const directory = mkdtempSync(join(tmpdir(), "minikey-disk-"));
    const args = ["-t", "tmpfs", "-o", `size=${sizeMib}m`, "minikey-test", directory];
    const { status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" });
    if (status === 0) return new SmallDisk(directory);
    rmdirSync(directory);
    return { reason: `a small file system cannot be mounted: ${error?.message ?? stderr.trim()}` };
  }

  get freeMib(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return (bavail * bsize) / MIB;
  }

  /** Takes space away until only `mib` are left. */
  leave(mib: number): void {
    const ballastMib = Math.floor(this.freeMib - mib);
    if (ballastMib > 0) writeFileSync(join(this.directory, "ballast"), Buffer.alloc(ballastMib * MIB));
  }

  /** Gives that space back. */
  free(): void {
    rmSync(join(this.directory, "ballast"), { force: true });
  }

  unmount(): void {
    const { status, stderr } = spawnSync("umount", [this.directory], { encoding: "utf8" });
    if (status !== 0) throw new Error(`umount ${this.directory}: ${stderr.trim()}`);
    rmdirSync(this.directory);
  }
}
