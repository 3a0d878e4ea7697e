#!/usr/bin/env node
/** The command `minikey`. */
import { run } from "./program.js";

await run(process.argv.slice(2));
