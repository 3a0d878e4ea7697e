import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parseServers, readServersFile } from "../../../../src/cli/shell/servers-file.js";
import { makeTempDir } from "../../../support/temp-dir.js";

test("a line names a server by ip and port, or host:port; blank lines are none, and nobody counts twice", () => {
  const text =
    "127.0.0.1 6380\r\n\n  127.0.0.1\t6381  \nlocalhost:6382\n::1 6383\n[::1]:6384\n127.0.0.1:6380";
  assert.deepEqual(parseServers(text, "servers"), [
    "127.0.0.1:6380",
    "127.0.0.1:6381",
    "localhost:6382",
    "[::1]:6383",
    "[::1]:6384",
  ]);
});

test("every bad line is named, and the list is refused as wrong usage", () => {
  const text = "127.0.0.1 6380\n127.0.0.1\n# none\n127.0.0.1 0\n127.0.0.1 65536\n1 2 3\n127.0.0.1 x";
  assert.throws(() => parseServers(text, "servers.txt"), {
    message: [
      'servers.txt:2: not "ip port": "127.0.0.1"',
      'servers.txt:3: not "ip port": "# none"',
      'servers.txt:4: not "ip port": "127.0.0.1 0"',
      'servers.txt:5: not "ip port": "127.0.0.1 65536"',
      'servers.txt:6: not "ip port": "1 2 3"',
      'servers.txt:7: not "ip port": "127.0.0.1 x"',
    ].join("\nminikey: "),
    exitStatus: 2,
  });
});

test("a list without servers, and a file that is not there, are named", async (t) => {
  const path = join(makeTempDir(t), "servers");
  await assert.rejects(readServersFile(path), {
    message: `cannot read ${path}: no such file`,
    exitStatus: 1,
  });
  await assert.rejects(readServersFile(dirname(path)), {
    message: `${dirname(path)} is a directory`,
    exitStatus: 1,
  });
  writeFileSync(path, "\n\n");
  await assert.rejects(readServersFile(path), { message: /it names no server/, exitStatus: 2 });
});
