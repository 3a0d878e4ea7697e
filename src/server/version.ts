/** The version of this package, from its package.json. */
import { createRequire } from "node:module";

const { version } = createRequire(import.meta.url)("../../../package.json") as { version: string };

/** This package's version. */
export const VERSION = version;
