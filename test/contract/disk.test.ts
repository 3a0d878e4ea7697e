import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";
import { SimDisk, seededChance } from "../../sim/disk/sim-disk.js";
import { openDisk } from "../../src/platform/disk.js";
import { testDisk } from "./disk.js";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "minikey-disk-"));
after(() => fs.rmSync(root, { recursive: true }));

testDisk("the system's", () => openDisk(fs.mkdtempSync(path.join(root, "disk-"))));
testDisk("simulated", () => Promise.resolve(new SimDisk(seededChance(1))));
