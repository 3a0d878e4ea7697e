/**
 * Everything that can be set about a node: one typed object, made once at start (`load-config.ts`) and passed
 * down, and one table from which flags, environment variables, keys of the YAML file, defaults and help come.
 *
 * Importing this costs nothing: no validator, no YAML.
 */

/** 0 for any free port. */
export type PortSetting = number | "off";

export interface ClusterMember {
  readonly id: string;
  /** Where its peers reach it: `host:port`. */
  readonly address: string;
}

export interface NodeConfig {
  readonly id: string;
  /** The data directory. */
  readonly data: string;
  /** What every server listens on: an IP address or `localhost`. */
  readonly host: string;
  readonly respPort: PortSetting;
  readonly httpPort: PortSetting;
  /** Unused by a node that is alone. */
  readonly peerPort: number;
  /** Where other nodes reach this one, `host:port`, when that is not `host` and `peerPort`. */
  readonly advertise: string | undefined;
  /** All founding members of a new cluster, this one among them; undefined for a cluster of one. */
  readonly cluster: readonly ClusterMember[] | undefined;
  readonly replicas: number;
  readonly partitions: number;
  /** Bytes. */
  readonly maxValueSize: number;
  readonly readMode: "quorum" | "lease";
  readonly logLevel: "debug" | "info" | "warn" | "error";
  /** Throw this node's data away and fetch it from the other replicas. */
  readonly rebuild: boolean;
}

export type OptionKey = keyof NodeConfig;

/** What a value may be; `schemas.ts` has the check of each. */
export type OptionKind =
  | { readonly type: "node-id" | "directory" | "host" | "address" | "members" | "switch" }
  | { readonly type: "port"; readonly canBeOff: boolean }
  | { readonly type: "count" | "size"; readonly min: number; readonly max: number }
  | { readonly type: "choice"; readonly choices: readonly string[] };

export interface OptionSpec<T> {
  readonly kind: OptionKind;
  /** What help writes after the flag; undefined for a switch. */
  readonly placeholder?: string;
  readonly default: T;
  /** Help's word for the default where the value itself says little. */
  readonly defaultText?: string;
  readonly help: string;
}

const MIB = 1_048_576;

export const OPTIONS: { readonly [K in OptionKey]: OptionSpec<NodeConfig[K]> } = {
  id: {
    kind: { type: "node-id" },
    placeholder: "<name>",
    default: "n1",
    help: "the node's name, unique in its cluster",
  },
  data: {
    kind: { type: "directory" },
    placeholder: "<dir>",
    default: "./data",
    help: "where the data lives",
  },
  host: {
    kind: { type: "host" },
    placeholder: "<address>",
    default: "127.0.0.1",
    help: "the address to listen on: loopback, as there are no passwords",
  },
  respPort: {
    kind: { type: "port", canBeOff: true },
    placeholder: "<port>",
    default: 6380,
    help: "port for RESP; 0 for any free one, off for none",
  },
  httpPort: {
    kind: { type: "port", canBeOff: true },
    placeholder: "<port>",
    default: 8000,
    help: "port for HTTP; 0 for any free one, off for none",
  },
  peerPort: {
    kind: { type: "port", canBeOff: false },
    placeholder: "<port>",
    default: 7380,
    help: "port for the other nodes; unused by a node that is alone",
  },
  advertise: {
    kind: { type: "address" },
    placeholder: "<host:port>",
    default: undefined,
    defaultText: "--host and --peer-port",
    help: "where the other nodes reach this one",
  },
  cluster: {
    kind: { type: "members" },
    placeholder: "<members>",
    default: undefined,
    defaultText: "a cluster of one",
    help: "all members of a new cluster, as n1=host:port,n2=host:port",
  },
  replicas: {
    kind: { type: "count", min: 1, max: 15 },
    placeholder: "<n>",
    default: 3,
    help: "copies of every key in a new cluster",
  },
  partitions: {
    kind: { type: "count", min: 1, max: 4096 },
    placeholder: "<n>",
    default: 12,
    help: "parts that a new cluster's keys are divided into",
  },
  maxValueSize: {
    kind: { type: "size", min: 1024, max: 64 * MIB },
    placeholder: "<size>",
    default: 8 * MIB,
    defaultText: "8mb",
    help: "the longest value, as 512kb or 8mb",
  },
  readMode: {
    kind: { type: "choice", choices: ["quorum", "lease"] },
    placeholder: "<mode>",
    default: "quorum",
    help: "how reads are confirmed: quorum asks a majority, lease trusts clocks",
  },
  logLevel: {
    kind: { type: "choice", choices: ["debug", "info", "warn", "error"] },
    placeholder: "<level>",
    default: "info",
    help: "the least important messages to log",
  },
  rebuild: {
    kind: { type: "switch" },
    default: false,
    help: "throw this node's data away, once the cluster can do without it, and fetch it from the other replicas",
  },
};

export const OPTION_KEYS = Object.keys(OPTIONS) as readonly OptionKey[];

/** The file's place has a flag and a variable, and is no key of the file. */
export const CONFIG_FILE_KEY = "config";

/** `respPort` → `--resp-port` */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `respPort` → `MINIKEY_RESP_PORT` */
export function variableOf(key: string): string {
  return `${VARIABLE_PREFIX}${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export const VARIABLE_PREFIX = "MINIKEY_";
