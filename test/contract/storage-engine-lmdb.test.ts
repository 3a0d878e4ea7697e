import { systemClock } from "../../src/platform/clock.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import { LogRecorder } from "../support/log-recorder.js";
import { storageEngineContract } from "./storage-engine.js";

storageEngineContract("on LMDB", (path) =>
  openLmdbEngine({ path, clock: systemClock(), logger: new LogRecorder() }),
);
