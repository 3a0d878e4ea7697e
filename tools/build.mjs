/**
 * `npm run build`: checks that the TypeScript projects follow tools/layers.json, compiles the product into
 * dist/, and makes the command `minikey` runnable in this clone (`npx minikey`).
 */
import "./lib/node-version.mjs";
import { checkLayers } from "./checks/layers.mjs";
import { root, runMain, SetupError, setUp } from "./lib/setup.mjs";

await runMain(async () => {
  const problems = checkLayers(root);
  if (problems.length > 0) throw new SetupError(problems.join("\n"));
  await setUp({ note: (text) => console.error(text) });
});
