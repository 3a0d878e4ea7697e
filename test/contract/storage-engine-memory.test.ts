import { systemClock } from "../../src/platform/clock.js";
import { openDisk } from "../../src/platform/disk.js";
import { openMemoryEngine } from "../../src/storage/memory/engine.js";
import { LogRecorder } from "../support/log-recorder.js";
import { storageEngineContract } from "./storage-engine.js";

storageEngineContract("in memory", async (directory) =>
  openMemoryEngine({
    disk: await openDisk(directory),
    directory: "memory",
    clock: systemClock(),
    logger: new LogRecorder(),
  }),
);
