import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { describeFailure, freeBytesAt } from "../../../src/platform/lmdb/full-disk.js";

const PARTLY_WRITTEN = new Error("Input/output error");

test("a write that a full disk took in part is called by its cause", () => {
  assert.match(
    describeFailure(PARTLY_WRITTEN, 4096),
    /Input\/output error, no space left on the disk \(ENOSPC\)/,
  );
});

test("an input/output error with room on the disk is called what it is", () => {
  assert.equal(describeFailure(PARTLY_WRITTEN, 2 ** 30), "Error: Input/output error");
});

test("a cause that is named already is named once", () => {
  assert.equal(describeFailure(new Error("No space left on device"), 0), "Error: No space left on device");
});

test("the room on a disk is what the system says, and unknown for no disk", () => {
  assert(freeBytesAt(tmpdir()) > 0 && Number.isFinite(freeBytesAt(tmpdir())));
  assert.equal(freeBytesAt("/no/such/place"), Number.POSITIVE_INFINITY);
});
