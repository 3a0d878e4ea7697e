/** Where this repository is, for tests that run its programs. */
import { fileURLToPath } from "node:url";

/** Compiled tests lie in dist/test/support. */
export const repositoryRoot = fileURLToPath(new URL("../../../", import.meta.url)).replace(/\/$/, "");
export const minikeyPath = `${repositoryRoot}/dist/src/cli/main.js`;
