/** `help` and the names that Tab completes, from the command table. */
import { COMMANDS } from "../../commands/table.js";
import type { CommandSpec } from "../../commands/types.js";

const GROUPS: readonly (readonly [CommandSpec["group"], string])[] = [
  ["string", "Strings"],
  ["generic", "Keys"],
  ["json", "Documents"],
  ["minikey", "MinikeyDB"],
  ["connection", "Connection"],
  ["server", "Server"],
  ["cluster", "Cluster"],
];

const SHELL_COMMANDS: readonly (readonly [string, string])[] = [
  ["HELP [command]", "this list, or what one command does"],
  ["EXIT", "leave the shell (also QUIT, or Ctrl-D)"],
];

/** Of commands with a language of their own. */
const USAGE: Readonly<Record<string, readonly string[] | undefined>> = {
  QUERY: [
    "QUERY key[.field …]   the rest of the line is the path; fields by name, positions of lists by number",
    "",
    "QUERY person2.address.number",
    'QUERY "city:AD:El Tarter".location.lat   quotes around what holds a dot or a quote',
  ],
  COMPUTE: [
    "COMPUTE formula [WHERE name = QUERY path [AND name = QUERY path …]] [DEGREES | RADIANS]",
    "",
    "COMPUTE 2*(x+3) WHERE x = QUERY person2.address.number",
    'COMPUTE cos(a) - b WHERE a = QUERY "a key".angle AND b = QUERY list.0 DEGREES',
    "",
    "+ - * / ^ ( )   sin cos tan asin acos atan log (base 10) ln exp sqrt abs min max floor ceil round   pi e",
  ],
};

const listed = (): CommandSpec[] =>
  COMMANDS.specs.filter((spec) => !spec.internal).sort((a, b) => (a.name < b.name ? -1 : 1));

/** Every name that a line may start with. */
export function commandNames(): string[] {
  return [...listed().map((spec) => spec.name), "HELP", "EXIT"];
}

/** What the shell prints for `help` or `help command`. */
export function helpText(name?: string): string {
  if (name === undefined) return overview();
  const spec = COMMANDS.byName(name);
  if (spec === undefined || spec.internal) return `no such command: ${name} (HELP lists them all)`;
  const facts = [
    describeArity(spec.arity),
    spec.access === "none" ? "answered by the node" : spec.access === "write" ? "writes" : "reads",
  ];
  const usage = USAGE[spec.name]?.map((line) => (line === "" ? "\n" : `\n  ${line}`)) ?? [];
  return `${spec.name}: ${spec.summary}\n  ${facts.join(" · ")}${usage.length > 0 ? "\n" : ""}${usage.join("")}`;
}

function overview(): string {
  const lines: string[] = [];
  const all = listed();
  for (const [group, title] of GROUPS) {
    const names = all.filter((spec) => spec.group === group).map((spec) => spec.name);
    if (names.length > 0) lines.push(title, ...wrap(names, 76).map((line) => `  ${line}`));
  }
  lines.push("Shell", ...SHELL_COMMANDS.map(([name, text]) => `  ${name.padEnd(16)} ${text}`));
  return lines.join("\n");
}

/** Redis's arity counts the name itself. */
function describeArity(arity: number): string {
  const count = Math.abs(arity) - 1;
  const many = `${count} argument${count === 1 ? "" : "s"}`;
  if (arity >= 0) return count === 0 ? "no arguments" : many;
  return count === 0 ? "any number of arguments" : `${many} or more`;
}

function wrap(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines;
}
