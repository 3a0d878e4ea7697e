/**
 * The shell without a person: one command by `-c`, or lines from a pipe.
 *
 * Results go to stdout in the order of the lines. An error of a piped command is a result too, so that line
 * n of the output belongs to line n of the input; the exit status is 1 when there was any.
 */
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { WireReply } from "../../client/wire.js";
import { MinikeyError } from "../../core/errors.js";
import { formatHuman, formatJson, formatRaw } from "./format.js";
import type { Shell } from "./shell.js";

export interface BatchOutput {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly json: boolean;
}

/** Carries `command` out; returns the exit status. Its error goes to stderr, or to stdout as JSON. */
export async function runOnce(shell: Shell, command: string, output: BatchOutput): Promise<number> {
  const result = await shell.execute(command);
  if (result.kind === "text") output.stdout.write(`${result.text}\n`);
  if (result.kind !== "reply") return 0;
  const { reply } = result;
  if (!(reply instanceof MinikeyError)) {
    writeReply(reply, output);
    return 0;
  }
  if (output.json) output.stdout.write(`${formatJson(reply)}\n`);
  else output.stderr.write(`minikey: ${reply.message}\n`);
  return 1;
}

/** Carries out every line of `input`; returns 1 when any failed. Waits for a reader that is slow. */
export async function runLines(shell: Shell, input: Readable, output: BatchOutput): Promise<number> {
  let exitStatus = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const result = await shell.execute(line);
    if (result.kind === "exit") break;
    if (result.kind === "text") output.stdout.write(`${result.text}\n`);
    if (result.kind !== "reply") continue;
    if (result.reply instanceof MinikeyError) exitStatus = 1;
    writeReply(result.reply, output);
    if (output.stdout.writableNeedDrain) {
      await new Promise((resolve) => {
        output.stdout.once("drain", resolve);
      });
    }
  }
  return exitStatus;
}

function writeReply(reply: WireReply, output: BatchOutput): void {
  if (output.json) {
    output.stdout.write(`${formatJson(reply)}\n`);
  } else if (reply instanceof MinikeyError) {
    output.stdout.write(`${formatHuman(reply)}\n`);
  } else {
    output.stdout.write(Buffer.concat([formatRaw(reply), Buffer.from("\n")]));
  }
}
