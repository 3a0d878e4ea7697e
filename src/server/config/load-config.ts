/**
 * Makes a node's configuration, once, from its sources: a flag wins over the environment, that over the file,
 * that over the default. All that is wrong is told at once, each with its source, its name and what was expected.
 */
import { isIP } from "node:net";
import { MinikeyError } from "../../core/errors.js";
import { shorten } from "../../core/text.js";
import { closestWord } from "./closest-word.js";
import { readConfigFile } from "./config-file.js";
import {
  CONFIG_FILE_KEY,
  flagOf,
  type NodeConfig,
  OPTION_KEYS,
  OPTIONS,
  type OptionKey,
  VARIABLE_PREFIX,
  variableOf,
} from "./node-config.js";
import { schemaOf } from "./schemas.js";

export interface ConfigSources {
  /** By key (`respPort`, and `config` for the file); undefined or absent when not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Variables of other commands (`MINIKEY_CONNECT`), which are no mistake here. */
  readonly otherVariables?: readonly string[];
}

export interface LoadedConfig {
  readonly config: NodeConfig;
  /** For the log: variables that begin like ours and mean nothing to us. */
  readonly warnings: readonly string[];
}

/** A value and where it came from, as errors call it. */
interface Given {
  readonly value: unknown;
  readonly source: string;
}

type GivenByKey = Map<OptionKey, Given>;

/** Rejects with `MinikeyError` `BAD_CONFIG`, one line a problem. */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const given: GivenByKey = new Map();
  const path = configFileOf(sources);
  if (path !== undefined) await addFile(path, given, problems);
  addEnvironment(sources, given, problems, warnings);
  addFlags(sources, given);
  const config = validate(given, problems);
  if (problems.length === 0) checkTogether(config, given, problems);
  if (problems.length > 0) throw new MinikeyError("BAD_CONFIG", problems.join("\n"));
  return { config, warnings };
}

function configFileOf({ flags, environment }: ConfigSources): string | undefined {
  const flag = flags[CONFIG_FILE_KEY];
  if (typeof flag === "string") return flag;
  const variable = environment[variableOf(CONFIG_FILE_KEY)];
  return variable === "" ? undefined : variable;
}

async function addFile(path: string, given: GivenByKey, problems: string[]): Promise<void> {
  for (const [name, { value, line }] of await readConfigFile(path)) {
    const source = `${name} in ${path} (line ${line})`;
    const key = OPTION_KEYS.find((one) => one === name);
    if (key === undefined) problems.push(`${source}: there is no such option${didYouMean(name)}`);
    else given.set(key, { value, source });
  }
}

function addEnvironment(
  { environment, otherVariables = [] }: ConfigSources,
  given: GivenByKey,
  problems: string[],
  warnings: string[],
): void {
  for (const [name, value] of Object.entries(environment)) {
    const isOther = name === variableOf(CONFIG_FILE_KEY) || otherVariables.includes(name);
    // Compose files pass on what is not set as empty.
    if (!name.startsWith(VARIABLE_PREFIX) || isOther || value === undefined || value === "") continue;
    const key = OPTION_KEYS.find((one) => variableOf(one) === name);
    if (key !== undefined) given.set(key, { value, source: name });
    else reportVariable(name, problems, warnings);
  }
}

/**
 * A slip of the keyboard must not start a node with the default instead. Other names may be somebody else's:
 * Kubernetes makes `MINIKEY_SERVICE_HOST` of a service called minikey.
 */
function reportVariable(name: string, problems: string[], warnings: string[]): void {
  const known = OPTION_KEYS.map((key) => variableOf(key).slice(VARIABLE_PREFIX.length));
  const closest = closestWord(name.slice(VARIABLE_PREFIX.length), known);
  if (closest === undefined) warnings.push(`${name}: there is no such option`);
  else problems.push(`${name}: there is no such option; did you mean ${VARIABLE_PREFIX}${closest}?`);
}

function addFlags({ flags }: ConfigSources, given: GivenByKey): void {
  for (const key of OPTION_KEYS) {
    if (flags[key] !== undefined) given.set(key, { value: flags[key], source: flagOf(key) });
  }
}

function didYouMean(name: string): string {
  const closest = closestWord(name, OPTION_KEYS);
  return closest === undefined ? "" : `; did you mean ${closest}?`;
}

function validate(given: GivenByKey, problems: string[]): NodeConfig {
  const values = OPTION_KEYS.map((key): [OptionKey, unknown] => {
    const one = given.get(key);
    if (one === undefined) return [key, OPTIONS[key].default];
    const { schema, expected } = schemaOf(OPTIONS[key].kind);
    const checked = schema.safeParse(one.value);
    if (!checked.success) problems.push(`${one.source}: expected ${expected}, got ${shown(one.value)}`);
    return [key, checked.data];
  });
  return Object.fromEntries(values) as unknown as NodeConfig;
}

/** Characters of a value that a message repeats. */
const SHOWN_LENGTH_MAX = 100;

function shown(value: unknown): string {
  return shorten(JSON.stringify(value) ?? String(value), SHOWN_LENGTH_MAX);
}

/** What no option can know alone. */
function checkTogether(config: NodeConfig, given: GivenByKey, problems: string[]): void {
  const nameOf = (key: OptionKey): string => given.get(key)?.source ?? flagOf(key);
  checkLoopback(config, nameOf("host"), problems);
  checkPorts(config, nameOf, problems);
  const { cluster, id } = config;
  if (cluster === undefined) return;
  const ids = cluster.map((member) => member.id);
  if (!ids.includes(id))
    problems.push(`${nameOf("id")}: ${id} is not in ${nameOf("cluster")} (${ids.join(", ")})`);
}

/** Nothing asks for a password, so nothing may be reachable from elsewhere. */
function checkLoopback({ host }: NodeConfig, source: string, problems: string[]): void {
  if (isLoopback(host)) return;
  problems.push(
    `${source}: ${host} can be reached from other machines, and as MinikeyDB has no passwords yet, anyone there ` +
      "could read and change all data; use 127.0.0.1, and a tunnel or an authenticating proxy in front of it",
  );
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

function checkPorts(config: NodeConfig, nameOf: (key: OptionKey) => string, problems: string[]): void {
  const users = new Map<number, OptionKey>();
  for (const key of ["respPort", "httpPort", "peerPort"] as const) {
    const port = config[key];
    if (port === "off" || port === 0) continue;
    const other = users.get(port);
    if (other !== undefined) problems.push(`${nameOf(key)}: port ${port} is already ${nameOf(other)}`);
    users.set(port, key);
  }
}
