/**
 * GET, QUERY and COMPUTE as the shell answers them: with the type that the server has stored, so that a document
 * is shown as one and bytes are shown as they are.
 */
import { expectArray, expectBytes, expectText } from "../../client/values.js";
import type { Argument } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import { parseKeyPath } from "../../document/key-path.js";
import { type Asked, askedBy, askedByCompute, askedByPath } from "./asked-keys.js";
import { computeArguments } from "./compute-line.js";
import type { GuardedReply } from "./guarded-requests.js";
import type { Answer } from "./result.js";

export type Ask = (words: readonly Argument[], asked: Asked) => Promise<GuardedReply>;

/** `GET key` */
export async function runGet(ask: Ask, key: Buffer): Promise<Answer> {
  const words = ["KV.GET", key];
  const { reply, warning } = await ask(words, askedBy(words));
  if (reply instanceof MinikeyError) return { kind: "reply", reply, warning };
  if (reply === null) return { kind: "missing", warning };
  const [type, , , value] = expectArray(reply);
  return { ...valueAnswer(key.toString(), expectText(type), expectBytes(value)), warning };
}

/** `QUERY path`: a path that leads to a whole value is answered as GET answers its key. */
export async function runQuery(ask: Ask, path: string): Promise<Answer> {
  const { reply, warning } = await ask(["KV.QUERY", path], askedByPath(path));
  if (reply instanceof MinikeyError) {
    return reply.code === "PATH_NOT_FOUND"
      ? { kind: "missing", reason: reply, warning }
      : { kind: "reply", reply, warning };
  }
  const [key, , type, value] = expectArray(reply);
  const name = nameOf(path, expectText(key));
  return { ...valueAnswer(name, expectText(type), expectBytes(value)), warning };
}

/** `COMPUTE formula [WHERE name = QUERY path [AND …]] [DEGREES | RADIANS]`, the line behind its first word. */
export async function runCompute(ask: Ask, rest: string): Promise<Answer> {
  const words = computeArguments(rest);
  const { reply, warning } = await ask(["COMPUTE", ...words], askedByCompute(words));
  return reply instanceof Uint8Array
    ? { kind: "number", text: reply.toString(), warning }
    : { kind: "reply", reply, warning };
}

/** The path as it was typed, or the key when the path leads no further. */
function nameOf(path: string, key: string): string {
  const whole = parseKeyPath(path).map((segment) => segment.text);
  return whole.join(".") === key ? key : path;
}

function valueAnswer(name: string, type: string, value: Buffer | null): Answer {
  return type === "json" && value !== null
    ? { kind: "document", name, json: value }
    : { kind: "reply", reply: value };
}
