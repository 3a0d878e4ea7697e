/**
 * `npm start`: from a fresh clone to a running three-node cluster. Installs and builds what is missing, then
 * becomes `minikey cluster`: in this process, so that signals and the exit status are the cluster's own.
 * Further arguments are passed on: `npm start -- --nodes 5`.
 */
import "./lib/node-version.mjs";
import { pathToFileURL } from "node:url";
import { mainPath, runMain, setUp } from "./lib/setup.mjs";

await runMain(async () => {
  setUp({ note: (text) => console.error(text) });
  process.argv = [process.execPath, mainPath, "cluster", ...process.argv.slice(2)];
  await import(pathToFileURL(mainPath).href);
});
