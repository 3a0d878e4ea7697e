/**
 * Loaded into every test process by `npm test`: property tests draw their values from one seed, so that the same
 * tree gives the same result. `MINIKEYDB_TEST_SEED=7 npm test` takes another; `MINIKEYDB_TEST_SEED=random` a new one each time.
 */
import { configureGlobal, readConfigureGlobal } from "fast-check";

// For the test process alone, not for the nodes that it starts.
delete process.env.NODE_OPTIONS;

const wanted = process.env.MINIKEYDB_TEST_SEED ?? "1";
if (wanted !== "random") configureGlobal({ ...readConfigureGlobal(), seed: Number(wanted) });
