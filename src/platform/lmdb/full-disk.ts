/** What a failed write says when the disk is full. */
import { statfsSync } from "node:fs";

/** Less than the smallest write that LMDB may have tried. */
const FULL_BYTES = 1024 * 1024;

/**
 * What went wrong. A write that the disk took in part LMDB calls an input/output error (`mdb_page_flush`), and so a
 * full disk by the wrong name: this adds the right one.
 *
 * @param freeBytes what is left on the disk
 */
export function describeFailure(error: unknown, freeBytes: number): string {
  const problem = String(error);
  const isNamed = /no space left/i.test(problem);
  return freeBytes < FULL_BYTES && !isNamed ? `${problem}, no space left on the disk (ENOSPC)` : problem;
}

/** What a process without privileges may still write where `path` is; infinite when the system does not say. */
export function freeBytesAt(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
