/**
 * What a line of the shell comes to, and how that looks: on a terminal, in a pipe, and by `-c`.
 *
 * | | terminal | pipe | `-c` |
 * | --- | --- | --- | --- |
 * | a reply | as redis-cli shows it | the value alone | the value alone |
 * | a document, a field | `person1 -> [ name -> John ]` | the same | the same |
 * | what is not there | `NOT FOUND`, and what is missing in the next line | that line to stderr | to stderr |
 * | an error | `(error) ERR …` | `(error) ERR …` | `minikey: …` to stderr |
 * | a warning | before it | to stderr | to stderr |
 *
 * In a pipe line n of stdout so belongs to line n of the input, as far as values have no line ends of their own.
 */
import type { WireReply } from "../../client/wire.js";
import { asBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { printEntry } from "../../document/record-printer.js";
import { formatHuman, formatJson, formatRaw } from "./format.js";

/** What there is to show. `warning` is for people: what the answer is worth. */
export type Answer = { readonly warning?: string | undefined } & (
  | { readonly kind: "reply"; readonly reply: WireReply }
  /** JSON text, whole or a part of a document, and the key or path that led to it. */
  | { readonly kind: "document"; readonly name: string; readonly json: Buffer }
  /** A number in decimal. */
  | { readonly kind: "number"; readonly text: string }
  /** `reason` says which part of a path is missing. */
  | { readonly kind: "missing"; readonly reason?: MinikeyError }
);

export type ShellResult =
  | { readonly kind: "nothing" }
  | { readonly kind: "exit" }
  /** For people, whatever the form asked for. */
  | { readonly kind: "text"; readonly text: string }
  | Answer;

export interface Form {
  readonly to: "terminal" | "pipe" | "once";
  readonly json: boolean;
}

/** Each without its line end; undefined for nothing. */
export interface Printed {
  readonly out: string | Buffer | undefined;
  readonly err: string | undefined;
  /** It counts for the exit status. */
  readonly isFailure: boolean;
}

const NOT_FOUND = "NOT FOUND";
const NOTHING: Printed = { out: undefined, err: undefined, isFailure: false };

export function print(result: ShellResult, form: Form): Printed {
  if (result.kind === "nothing" || result.kind === "exit") return NOTHING;
  if (result.kind === "text") return { ...NOTHING, out: result.text };
  return withWarning(printAnswer(result, form), result.warning, form);
}

function printAnswer(answer: Answer, form: Form): Printed {
  switch (answer.kind) {
    case "reply":
      return printReply(answer.reply, form);
    case "document": {
      const { name, json } = answer;
      const out = form.json ? json : printEntry(name, asBytes(json), 0, json.length, "display");
      return { ...NOTHING, out };
    }
    case "number":
      return { ...NOTHING, out: answer.text };
    case "missing":
      return printMissing(answer.reason, form);
  }
}

function printReply(reply: WireReply, form: Form): Printed {
  const isFailure = reply instanceof MinikeyError;
  if (form.json) return { out: formatJson(reply), err: undefined, isFailure };
  if (isFailure && form.to === "once") {
    return { out: undefined, err: `minikey: ${reply.message}`, isFailure };
  }
  const out = isFailure || form.to === "terminal" ? formatHuman(reply) : formatRaw(reply);
  return { out, err: undefined, isFailure };
}

function printMissing(reason: MinikeyError | undefined, form: Form): Printed {
  if (form.json) return { out: formatJson(reason ?? null), err: undefined, isFailure: true };
  if (reason === undefined) return { out: NOT_FOUND, err: undefined, isFailure: true };
  return form.to === "terminal"
    ? { out: `${NOT_FOUND}\n(${reason.message})`, err: undefined, isFailure: true }
    : { out: NOT_FOUND, err: `minikey: ${reason.message}`, isFailure: true };
}

function withWarning(printed: Printed, warning: string | undefined, form: Form): Printed {
  if (warning === undefined) return printed;
  const { out, err, isFailure } = printed;
  if (form.to !== "terminal")
    return { out, err: err === undefined ? warning : `${warning}\n${err}`, isFailure };
  return { out: out === undefined ? warning : `${warning}\n${out.toString()}`, err, isFailure };
}
