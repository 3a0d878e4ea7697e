/**
 * `npm start`: from a fresh clone to a running three-node cluster. Installs and builds what is missing, then
 * becomes `minikey cluster`: in this process, so that signals and the exit status are the cluster's own.
 * Further arguments are passed on: `npm start -- --nodes 5`.
 */
import "./lib/node-version.mjs";
import { pathToFileURL } from "node:url";
import { mainPath, runMain, setUp } from "./lib/setup.mjs";

const PARENT_CHECK_MS = 500;

/** Stops the cluster when npm is gone without having said so (`kill -9`): nobody else could then stop it. */
function stopWithNpm() {
  const npm = process.ppid;
  const check = () => {
    if (process.ppid === npm) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  };
  const timer = setInterval(check, PARENT_CHECK_MS);
  timer.unref();
}

await runMain(async () => {
  await setUp({ note: (text) => console.error(text) });
  if (process.env.npm_lifecycle_event === "start") stopWithNpm();
  process.argv = [process.execPath, mainPath, "cluster", ...process.argv.slice(2)];
  await import(pathToFileURL(mainPath).href);
});
