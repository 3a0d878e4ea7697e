/**
 * `npm run bench -- queries`: QUERY and COMPUTE beside plain GET, on the same cluster of three processes, the same
 * keys and in this run, so that the ratios mean something. redis-benchmark is the load generator.
 *
 * The documents are small, and every kind of request goes to random ones. QUERY asks for one field of one, by a path
 * that may mean three keys, so that three are looked for. COMPUTE binds three fields of three documents, whose keys
 * lie in different partitions. The rounds take turns, and the figures are their medians.
 */
import { parseArgs } from "node:util";
import { withCluster } from "../../test/support/cluster.js";
import { RespClient } from "../../test/support/resp-client.js";
import { runBenchmark } from "../compare/redis.js";
import { describeMachine, Figures, markdownTable, perSecond, type Row } from "../compare/report.js";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    scale: { type: "string", default: "1" },
    partitions: { type: "string" },
  },
});

const KEYS = 30_000;
const scaled = (requests: number): number => Math.round(requests * Number(flags.scale));

/** redis-benchmark puts a number of 12 digits in the place of this, another one each time. */
const NUMBER = "__rand_int__";
const DOCUMENT = JSON.stringify({
  name: "John Smith",
  age: 22,
  address: { street: "Elm Street", number: 12, city: "Springfield" },
  tags: ["a", "b"],
});

/** Keys with these in braces lie in three partitions, whatever their numbers are; those without, anywhere. */
const TAGS = ["{a}", "{b}", "{c}"] as const;
const keyOf = (tag = ""): string => `${tag}person:${NUMBER}`;

const COMMANDS = {
  GET: ["GET", keyOf()],
  QUERY: ["QUERY", `${keyOf()}.address.number`],
  COMPUTE: [
    "COMPUTE",
    "sqrt((x-y)^2+z^2)",
    "WHERE",
    ...TAGS.flatMap((tag, i) => [
      ...(i === 0 ? [] : ["AND"]),
      "xyz"[i],
      "=",
      "QUERY",
      `${keyOf(tag)}.address.number`,
    ]),
  ],
} as const;
type Name = keyof typeof COMMANDS;

const LOADS = [
  { what: "256 connections", clients: 256, pipeline: 1, requests: scaled(150_000) },
  { what: "50 connections, pipelined by 16", clients: 50, pipeline: 16, requests: scaled(600_000) },
] as const;

const BOUNDS: readonly (readonly [Name, number])[] = [
  ["QUERY", 0.8],
  ["COMPUTE", 0.3],
];

const flagsOf = ({ clients, pipeline, requests }: (typeof LOADS)[number]): string[] => [
  "-c",
  `${clients}`,
  "-P",
  `${pipeline}`,
  "-n",
  `${requests}`,
  "-r",
  `${KEYS}`,
];

async function fill(port: number): Promise<void> {
  const client = await RespClient.connect(port);
  for (const tag of ["", ...TAGS]) {
    for (let first = 0; first < KEYS; first += 1_000) {
      const calls = Array.from({ length: 1_000 }, (_, i) => {
        const key = keyOf(tag).replace(NUMBER, String(first + i).padStart(12, "0"));
        return client.call("KV.PUT", key, "json", "any", "0", "0", DOCUMENT);
      });
      await Promise.all(calls);
    }
  }
  client.close();
}

function rowsOf(figures: Figures): Row[] {
  return LOADS.flatMap((load) =>
    BOUNDS.map(([name, bound]) => {
      const ours = figures.of(`${name} ${load.what}`);
      const plain = figures.of(`GET ${load.what}`);
      const ratio = ours.rps / plain.rps;
      const words = COMMANDS[name].map((word) => (/^[\w.:]+$/.test(word) ? word : `'${word}'`));
      return {
        what: `${name}, ${load.what}`,
        ours: perSecond(ours),
        theirs: `GET: ${perSecond(plain)}`,
        ratio,
        bound: `≥ ${bound}`,
        kept: ratio >= bound,
        command: `redis-benchmark -p PORT ${flagsOf(load).join(" ")} ${words.join(" ")}`,
      };
    }),
  );
}

const partitions = flags.partitions === undefined ? {} : { partitions: Number(flags.partitions) };
await withCluster(partitions, async (cluster) => {
  const port = cluster.node("n1").respPort;
  await fill(port);
  const figures = new Figures();
  for (let round = 1; round <= Number(flags.rounds); round += 1) {
    console.error(`round ${round} of ${flags.rounds}`);
    for (const load of LOADS) {
      for (const name of Object.keys(COMMANDS) as Name[]) {
        const found = await runBenchmark(port, [...flagsOf(load), ...COMMANDS[name]]);
        figures.add(`${name} ${load.what}`, found);
      }
    }
  }
  const rows = rowsOf(figures);
  console.log([await describeMachine(), "", markdownTable(rows)].join("\n"));
  process.exitCode = rows.every(({ kept }) => kept) ? 0 : 1;
});
