/** How fast `minikey load` is, beside the cluster that it loads into. */
import { withCluster } from "../../test/support/cluster.js";
import { minikeyPath } from "../../test/support/repository.js";
import { runCommand } from "./command.js";
import type { Plan } from "./plan.js";
import { Figures, perSecond, type Row } from "./report.js";
import { bestOf, isFaster, runMinikey } from "./rounds.js";

const LOAD_TIMES_SET = 0.5;
const MS_PER_SECOND = 1000;

/** Records a second of `minikey load`, against the pipelined SET rate of the same cluster. */
export async function measureLoad(file: string, plan: Plan): Promise<Row[]> {
  const rows: Row[] = [];
  const figures = new Figures();
  await withCluster({}, async (cluster) => {
    await runMinikey(cluster, ["setPipelined"], plan, figures);
    const connect = cluster.nodes.map(({ respPort }) => `127.0.0.1:${respPort}`).join(",");
    const client = await cluster.resp("n1");
    const before = Number(await client.call("DBSIZE"));
    const startMs = performance.now();
    await runCommand(process.execPath, [minikeyPath, "load", file, "--connect", connect]);
    const seconds = (performance.now() - startMs) / MS_PER_SECOND;
    const records = Number(await client.call("DBSIZE")) - before;
    const { best } = bestOf(figures, "setPipelined", perSecond, isFaster);
    const ratio = records / seconds / best.rps;
    rows.push({
      what: `minikey load, ${records.toLocaleString("en")} records`,
      ours: `${Math.round(records / seconds).toLocaleString("en")}/s in ${seconds.toFixed(1)} s, start of the command included`,
      theirs: `pipelined SET on the same cluster: ${perSecond(best)}`,
      ratio,
      bound: `≥ ${LOAD_TIMES_SET}`,
      kept: ratio >= LOAD_TIMES_SET,
      command: "minikey load FILE",
    });
  });
  return rows;
}
