/** Commands answered by the connection or the node itself, without the data: what each does is in `server/resp`. */
import { command } from "./spec.js";
import type { CommandSpec } from "./types.js";

type LocalFields = Pick<CommandSpec, "name" | "arity" | "group" | "summary"> &
  Partial<Pick<CommandSpec, "flags" | "categories">>;

function local(fields: LocalFields): CommandSpec {
  return command({ ...fields, spread: "local", access: "none" });
}

const CONNECTION = ["@fast", "@connection"] as const;
const ALWAYS = ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"] as const;

export const LOCAL_COMMANDS: readonly CommandSpec[] = [
  local({
    name: "PING",
    arity: -1,
    flags: ["fast"],
    categories: CONNECTION,
    group: "connection",
    summary: "Ping the server",
  }),
  local({
    name: "ECHO",
    arity: 2,
    flags: ["loading", "stale", "fast"],
    categories: CONNECTION,
    group: "connection",
    summary: "Echo the given string",
  }),
  local({
    name: "HELLO",
    arity: -1,
    flags: ALWAYS,
    categories: CONNECTION,
    group: "connection",
    summary: "Handshake with Redis",
  }),
  local({
    name: "AUTH",
    arity: -2,
    flags: ALWAYS,
    categories: CONNECTION,
    group: "connection",
    summary: "Authenticate to the server",
  }),
  local({
    name: "SELECT",
    arity: 2,
    flags: ["loading", "stale", "fast"],
    categories: CONNECTION,
    group: "connection",
    summary: "Change the selected database for the current connection",
  }),
  local({
    name: "QUIT",
    arity: -1,
    flags: ALWAYS,
    categories: CONNECTION,
    group: "connection",
    summary: "Close the connection",
  }),
  local({
    name: "RESET",
    arity: 1,
    flags: ALWAYS,
    categories: CONNECTION,
    group: "connection",
    summary: "Reset the connection",
  }),
  local({
    name: "CLIENT",
    arity: -2,
    categories: ["@slow"],
    group: "connection",
    summary: "A container for client connection commands",
  }),
  local({
    name: "COMMAND",
    arity: -1,
    flags: ["loading", "stale"],
    categories: ["@slow", "@connection"],
    group: "server",
    summary: "Get array of Redis command details",
  }),
  local({
    name: "INFO",
    arity: -1,
    flags: ["loading", "stale"],
    categories: ["@slow", "@dangerous"],
    group: "server",
    summary: "Get information and statistics about the server",
  }),
  local({
    name: "CONFIG",
    arity: -2,
    categories: ["@slow"],
    group: "server",
    summary: "A container for server configuration commands",
  }),
  local({
    name: "TIME",
    arity: 1,
    flags: ["loading", "stale", "fast"],
    categories: ["@fast"],
    group: "server",
    summary: "Return the current server time",
  }),
  local({
    name: "CLUSTER",
    arity: -2,
    categories: ["@slow"],
    group: "cluster",
    summary: "A container for cluster commands",
  }),
  local({
    name: "CONSISTENCY",
    arity: -2,
    flags: ["loading", "stale", "fast"],
    categories: CONNECTION,
    group: "minikey",
    summary: "Show or choose how consistent this connection's reads and writes are",
  }),
  local({
    name: "KEYSPACE",
    arity: -2,
    categories: ["@slow"],
    group: "minikey",
    summary: "Create, list and drop keyspaces",
  }),
];
