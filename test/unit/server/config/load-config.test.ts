import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { stringify } from "yaml";
import { MinikeyError } from "../../../../src/core/errors.js";
import {
  type ConfigSources,
  type LoadedConfig,
  loadConfig,
} from "../../../../src/server/config/load-config.js";
import {
  flagOf,
  type NodeConfig,
  OPTION_KEYS,
  OPTIONS,
  type OptionKey,
  variableOf,
} from "../../../../src/server/config/node-config.js";
import { makeTempDir } from "../../../support/temp-dir.js";

const load = (sources: Partial<ConfigSources>): Promise<LoadedConfig> =>
  loadConfig({ flags: {}, environment: {}, ...sources });

/** The lines of the error that these sources are refused with. */
async function problems(sources: Partial<ConfigSources>): Promise<string[]> {
  try {
    await load(sources);
  } catch (error) {
    assert.ok(error instanceof MinikeyError, String(error));
    assert.equal(error.code, "BAD_CONFIG");
    return error.message.split("\n");
  }
  assert.fail("the configuration was accepted");
}

async function writeConfig(t: TestContext, text: string | Uint8Array): Promise<string> {
  const path = join(makeTempDir(t), "minikey.yaml");
  await writeFile(path, text);
  return path;
}

/** One value for each option that is not its default, as text and as it ends. */
const SAMPLES: { readonly [K in OptionKey]: readonly [text: string, value: NodeConfig[K]] } = {
  id: ["n2", "n2"],
  data: ["/var/lib/minikey", "/var/lib/minikey"],
  host: ["::1", "::1"],
  respPort: ["7001", 7001],
  httpPort: ["off", "off"],
  peerPort: ["0", 0],
  advertise: ["[fd00::1]:7380", "[fd00::1]:7380"],
  cluster: [
    "n1=a.example:7380, n2=[::1]:7381",
    [
      { id: "n1", address: "a.example:7380" },
      { id: "n2", address: "[::1]:7381" },
    ],
  ],
  replicas: ["5", 5],
  partitions: ["64", 64],
  maxValueSize: ["512kb", 524_288],
  readMode: ["lease", "lease"],
  logLevel: ["debug", "debug"],
  rebuild: ["true", true],
};
const SAMPLE_CONFIG = Object.fromEntries(OPTION_KEYS.map((key) => [key, SAMPLES[key][1]]));

describe("where a node's configuration comes from", () => {
  it("is the defaults when nothing is said", async () => {
    const { config, warnings } = await load({});
    assert.deepEqual(config, {
      id: "n1",
      data: "./data",
      host: "127.0.0.1",
      respPort: 6380,
      httpPort: 8000,
      peerPort: 7380,
      advertise: undefined,
      cluster: undefined,
      replicas: 3,
      partitions: 12,
      maxValueSize: 8_388_608,
      readMode: "quorum",
      logLevel: "info",
      rebuild: false,
    });
    assert.deepEqual(warnings, []);
  });

  it("is flags, environment or file, for every option alike", async (t) => {
    const flags = Object.fromEntries(OPTION_KEYS.map((key) => [key, SAMPLES[key][0]]));
    assert.deepEqual((await load({ flags })).config, SAMPLE_CONFIG);

    const environment = Object.fromEntries(OPTION_KEYS.map((key) => [variableOf(key), SAMPLES[key][0]]));
    assert.deepEqual((await load({ environment })).config, SAMPLE_CONFIG);

    const asText = await writeConfig(t, stringify(flags));
    assert.deepEqual((await load({ flags: { config: asText } })).config, SAMPLE_CONFIG);

    const cluster = { n1: "a.example:7380", n2: "[::1]:7381" };
    const asYaml = await writeConfig(t, stringify({ ...SAMPLE_CONFIG, cluster }));
    assert.deepEqual((await load({ environment: { MINIKEY_CONFIG: asYaml } })).config, SAMPLE_CONFIG);
  });

  it("lets a flag win over the environment, that over the file, that over the default", async (t) => {
    const config = await writeConfig(t, "respPort: 1001\nhttpPort: 1002\npeerPort: 1003\n");
    const sources = {
      flags: { config, respPort: "3001" },
      environment: { MINIKEY_RESP_PORT: "2001", MINIKEY_HTTP_PORT: "2002" },
    };
    const { respPort, httpPort, peerPort, replicas } = (await load(sources)).config;
    assert.deepEqual([respPort, httpPort, peerPort, replicas], [3001, 2002, 1003, 3]);
  });

  it("lets the flag choose the file, and takes an empty variable for none", async (t) => {
    const [one, other] = [await writeConfig(t, "id: one"), await writeConfig(t, "id: other")];
    const environment = { MINIKEY_CONFIG: other, MINIKEY_RESP_PORT: "" };
    assert.equal((await load({ flags: { config: one }, environment })).config.id, "one");
    assert.equal((await load({ environment })).config.id, "other");
    assert.equal((await load({ environment: { MINIKEY_CONFIG: "" } })).config.id, "n1");
  });

  it("names every option as the interface does", () => {
    assert.equal(flagOf("respPort"), "--resp-port");
    assert.equal(variableOf("httpPort"), "MINIKEY_HTTP_PORT");
    assert.equal(flagOf("maxValueSize"), "--max-value-size");
    assert.equal(new Set(OPTION_KEYS.map((key) => variableOf(key))).size, OPTION_KEYS.length);
    for (const key of OPTION_KEYS) {
      assert.match(OPTIONS[key].help, /^[a-z].*[^.]$/);
      assert.equal(OPTIONS[key].placeholder === undefined, OPTIONS[key].kind.type === "switch");
    }
  });
});

describe("what is wrong with a value", () => {
  const PORT = "expected a port between 1 and 65535, or 0 for any free one, or off";
  const wrong: readonly (readonly [OptionKey, string, string])[] = [
    ["respPort", "abc", PORT],
    ["respPort", "65536", PORT],
    ["httpPort", "-1", PORT],
    ["httpPort", "1e3", PORT],
    ["httpPort", "80.5", PORT],
    ["httpPort", "none", PORT],
    ["peerPort", "off", "expected a port between 1 and 65535, or 0 for any free one"],
    ["id", "a b", "expected 1 to 64 letters, digits, dots, dashes or underscores"],
    ["id", "-x", "expected 1 to 64 letters, digits, dots, dashes or underscores"],
    ["id", "x".repeat(65), "expected 1 to 64 letters, digits, dots, dashes or underscores"],
    ["data", " ", "expected the path of a directory"],
    ["host", "my host", "expected an IP address or localhost"],
    ["host", "127.0.0.256", "expected an IP address or localhost"],
    ["advertise", "host", "expected host:port"],
    ["advertise", "host:0", "expected host:port"],
    ["advertise", "host:65536", "expected host:port"],
    ["advertise", "::1:7380", "expected host:port"],
    ["advertise", "[1.2.3.4]:7380", "expected host:port"],
    ["cluster", "n1", "expected members as n1=host:port,n2=host:port, each name and address once"],
    ["cluster", "n1=a:1,,", "expected members as n1=host:port,n2=host:port, each name and address once"],
    ["cluster", "n1=a:1,n1=b:1", "expected members as n1=host:port,n2=host:port, each name and address once"],
    ["cluster", "n1=a:1,n2=a:1", "expected members as n1=host:port,n2=host:port, each name and address once"],
    ["cluster", "=a:1", "expected members as n1=host:port,n2=host:port, each name and address once"],
    ["replicas", "0", "expected a whole number between 1 and 15"],
    ["replicas", "1.5", "expected a whole number between 1 and 15"],
    ["partitions", "4097", "expected a whole number between 1 and 4096"],
    ["maxValueSize", "8tb", "expected a size between 1,024 and 67,108,864 bytes, such as 8mb"],
    ["maxValueSize", "1023", "expected a size between 1,024 and 67,108,864 bytes, such as 8mb"],
    ["maxValueSize", "65mb", "expected a size between 1,024 and 67,108,864 bytes, such as 8mb"],
    ["readMode", "fast", "expected quorum, lease"],
    ["logLevel", "INFO", "expected debug, info, warn, error"],
    ["rebuild", "maybe", "expected true or false"],
  ];

  it("is said with the source, the name, what was expected and what came", async (t) => {
    for (const [key, text, expected] of wrong) {
      const tail = `: ${expected}, got ${JSON.stringify(text)}`;
      assert.deepEqual(await problems({ flags: { [key]: text } }), [`${flagOf(key)}${tail}`]);
      assert.deepEqual(await problems({ environment: { [variableOf(key)]: text } }), [
        `${variableOf(key)}${tail}`,
      ]);
      const path = await writeConfig(t, `# a comment\n\n${stringify({ [key]: text })}`);
      assert.deepEqual(await problems({ flags: { config: path } }), [`${key} in ${path} (line 3)${tail}`]);
    }
  });

  it("is said of values of another type in the file, too", async (t) => {
    const wrongTypes = [
      "respPort: [1]",
      "id: 5",
      "replicas: true",
      "rebuild: 1",
      "data:",
      "cluster: {n1: 5}",
    ];
    for (const line of wrongTypes) {
      const path = await writeConfig(t, line);
      const [problem, ...others] = await problems({ flags: { config: path } });
      assert.match(problem, /^\w+ in .*minikey\.yaml \(line 1\): expected .*, got /, line);
      assert.deepEqual(others, []);
    }
  });

  it("is told all at once", async () => {
    const flags = { respPort: "x", replicas: "0" };
    const environment = { MINIKEY_LOG_LEVEL: "loud", MINIKEY_RESP_PRT: "1" };
    assert.equal((await problems({ flags, environment })).length, 4);
  });

  it("is cut short when it is long", async () => {
    const [problem] = await problems({ flags: { id: "x".repeat(10_000) } });
    assert.ok(problem.length < 300);
    assert.match(problem, /…$/);
  });

  it("is not said of what is right", async () => {
    const right: readonly (readonly [OptionKey, unknown, unknown])[] = [
      ["respPort", 0, 0],
      ["respPort", " 6380 ", 6380],
      ["maxValueSize", "8MiB", 8_388_608],
      ["maxValueSize", "8 mb", 8_388_608],
      ["maxValueSize", 1024, 1024],
      ["maxValueSize", "2048b", 2048],
      ["rebuild", "no", false],
      ["rebuild", "1", true],
      ["rebuild", true, true],
      ["host", "127.8.9.1", "127.8.9.1"],
      ["host", "localhost", "localhost"],
    ];
    for (const [key, given, value] of right) {
      assert.equal((await load({ flags: { [key]: given } })).config[key], value, `${key} ${String(given)}`);
    }
  });
});

describe("names that are no option", () => {
  it("are refused in the file, with the line and what may have been meant", async (t) => {
    const path = await writeConfig(t, "id: n1\nrespport: 6380\nhtppPort: 1\ncolour: red\n");
    assert.deepEqual(await problems({ flags: { config: path } }), [
      `respport in ${path} (line 2): there is no such option; did you mean respPort?`,
      `htppPort in ${path} (line 3): there is no such option; did you mean httpPort?`,
      `colour in ${path} (line 4): there is no such option`,
    ]);
  });

  it("are refused in the environment when they are slips, and warned of otherwise", async () => {
    assert.deepEqual(await problems({ environment: { MINIKEY_RESP_PROT: "1", MINIKEY_REPLICA: "5" } }), [
      "MINIKEY_RESP_PROT: there is no such option; did you mean MINIKEY_RESP_PORT?",
      "MINIKEY_REPLICA: there is no such option; did you mean MINIKEY_REPLICAS?",
    ]);
    const environment = {
      MINIKEY_PORT: "tcp://10.0.0.1:6380",
      MINIKEY_SERVICE_HOST: "10.0.0.1",
      MINIKEY_CONNECT: "127.0.0.1:6380",
      OTHER_ID: "x",
    };
    const { warnings } = await load({ environment, otherVariables: ["MINIKEY_CONNECT"] });
    assert.deepEqual(warnings, [
      "MINIKEY_PORT: there is no such option",
      "MINIKEY_SERVICE_HOST: there is no such option",
    ]);
  });
});

describe("the file", () => {
  it("may be empty or only comments", async (t) => {
    for (const text of ["", "# nothing\n", "---\n"]) {
      const path = await writeConfig(t, text);
      assert.equal((await load({ flags: { config: path } })).config.id, "n1");
    }
  });

  it("is refused by name when it is missing, a directory, not YAML, or no list of keys", async (t) => {
    const directory = makeTempDir(t);
    const missing = join(directory, "none.yaml");
    assert.deepEqual(await problems({ flags: { config: missing } }), [
      `cannot read the configuration ${missing}: there is no such file`,
    ]);
    const [unreadable] = await problems({ flags: { config: directory } });
    assert.match(unreadable, /^cannot read the configuration .*EISDIR/);
    const wrong = [
      ["id: [n1", /is not valid YAML: .* at line 1/],
      ["id: a\nid: b\n", /is not valid YAML: Map keys must be unique at line 2/],
      ["\tid: a", /is not valid YAML: /],
      ["- id", /expected keys and values, such as httpPort: 8000$/],
      ["just text", /expected keys and values, such as httpPort: 8000$/],
      ["id: !!js/function x", /is not valid YAML: /],
      ["id: *nowhere", /is not valid YAML: /],
    ] as const;
    for (const [text, expected] of wrong) {
      const path = await writeConfig(t, text);
      const lines = await problems({ flags: { config: path } });
      assert.equal(lines.length, 1, text);
      assert.ok(lines[0].startsWith(path), lines[0]);
      assert.match(lines[0], expected);
    }
  });

  it("may use YAML's anchors, but not to fill the memory", async (t) => {
    const path = await writeConfig(t, "id: &name n5\nadvertise: h:1\ndata: *name\n");
    const { id, data } = (await load({ flags: { config: path } })).config;
    assert.deepEqual([id, data], ["n5", "n5"]);
    const levels = Array.from(
      { length: 12 },
      (_, i) =>
        `k${i}: &a${i} [${Array.from({ length: 12 })
          .fill(i === 0 ? "x" : `*a${i - 1}`)
          .join(",")}]`,
    );
    const bomb = await writeConfig(t, levels.join("\n"));
    assert.ok((await problems({ flags: { config: bomb } })).length > 0);
  });

  it("never does worse than being refused, whatever is in it", async (t) => {
    const key = fc.oneof(fc.constantFrom(...OPTION_KEYS, "__proto__", "toString"), fc.string());
    const document = fc.oneof(
      fc.dictionary(key, fc.jsonValue()).map((value) => Buffer.from(stringify(value))),
      fc
        .array(fc.tuple(key, fc.string()))
        .map((pairs) => Buffer.from(pairs.map((pair) => pair.join(": ")).join("\n"))),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(document, async (bytes) => {
        const path = await writeConfig(t, bytes);
        try {
          const { config } = await load({ flags: { config: path } });
          assert.deepEqual(Object.keys(config), OPTION_KEYS);
        } catch (error) {
          assert.ok(error instanceof MinikeyError && error.code === "BAD_CONFIG", String(error));
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("options that must fit together", () => {
  it("refuses an address that others can reach, and says why", async () => {
    for (const host of ["0.0.0.0", "::", "192.168.1.5", "8.8.8.8", "128.0.0.1", "fe80::1"]) {
      assert.deepEqual(await problems({ flags: { host } }), [
        `--host: ${host} can be reached from other machines, and as MinikeyDB has no passwords yet, anyone ` +
          "there could read and change all data; use 127.0.0.1, and a tunnel or an authenticating proxy in " +
          "front of it",
      ]);
    }
    assert.match((await problems({ environment: { MINIKEY_HOST: "::" } }))[0], /^MINIKEY_HOST: /);
  });

  it("refuses one port for two servers, but any free one and none as often as you like", async (t) => {
    assert.deepEqual(await problems({ flags: { httpPort: "6380" } }), [
      "--http-port: port 6380 is already --resp-port",
    ]);
    const path = await writeConfig(t, "respPort: 7380");
    assert.deepEqual(await problems({ flags: { config: path } }), [
      `--peer-port: port 7380 is already respPort in ${path} (line 1)`,
    ]);
    assert.deepEqual((await load({ flags: { respPort: "0", httpPort: 0, peerPort: 0 } })).config.respPort, 0);
    assert.deepEqual((await load({ flags: { respPort: "off", httpPort: "off" } })).config.httpPort, "off");
  });

  it("wants the node in its own cluster", async () => {
    const flags = { id: "n3", cluster: "n1=a:1,n2=b:1" };
    assert.deepEqual(await problems({ flags }), ["--id: n3 is not in --cluster (n1, n2)"]);
  });
});
