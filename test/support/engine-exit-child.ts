/** Exits in the middle of a checkpoint. Arguments: the directory, and after how many milliseconds. */
import { groupId } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import { silentLogger } from "../../src/platform/logger.js";
import { appliedState, storedValue } from "./engine-model.js";

const KEYS = 100_000;

const [directory = "", afterMs = "0"] = process.argv.slice(2);
const engine = await openLmdbEngine({ path: directory, clock: systemClock(), logger: silentLogger });
const store = await engine.openGroup(groupId(1));
store.onCheckpoint(() => appliedState(1));
const value = storedValue("v".repeat(100));
for (let i = 0; i < KEYS; i += 1) store.put("data", `key ${i}`, value);
setTimeout(() => process.exit(3), Number(afterMs));
await engine.checkpoint();
process.exit(4);
