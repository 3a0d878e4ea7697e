/**
 * `npm run bench -- NAME …`: builds, then runs bench/NAME/main.ts with the remaining arguments, in this
 * process. Without a name it lists what there is.
 */
import "./lib/node-version.mjs";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { productProjects, root, runMain, SetupError, setUp } from "./lib/setup.mjs";

await runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  const names = readdirSync(join(root, "bench")).filter((entry) =>
    existsSync(join(root, "bench", entry, "main.ts")),
  );
  if (!names.includes(name)) {
    const asked = name === undefined || name === "--help" ? "" : `There is no benchmark ${name}. `;
    throw new SetupError(`${asked}Benchmarks: ${names.join(", ") || "none"}. Run: npm run bench -- NAME`);
  }
  await setUp({ projects: [...productProjects(), "bench"], note: (text) => console.error(text) });
  const main = join(root, "dist/bench", name, "main.js");
  process.argv = [process.execPath, main, ...args];
  await import(pathToFileURL(main).href);
});
