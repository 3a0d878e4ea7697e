/** `npm run mutants -- …`: builds, then runs sim/mutants/main.ts with the arguments, in this process. */
import "./lib/node-version.mjs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { productProjects, root, runMain, setUp } from "./lib/setup.mjs";

await runMain(async () => {
  await setUp({ projects: [...productProjects(), "sim"], note: (text) => console.error(text) });
  await import(pathToFileURL(join(root, "dist/sim/mutants/main.js")).href);
});
