/**
 * The shell without a person: one command by `-c`, or lines from a pipe.
 *
 * Results go to stdout in the order of the lines. An error of a piped command is a result too, so that line
 * n of the output belongs to line n of the input; the exit status is 1 when there was any, or when something
 * that was asked for is not there.
 */
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type Form, print, type ShellResult } from "./result.js";
import type { Shell } from "./shell.js";

export interface BatchOutput {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly json: boolean;
}

/** Carries `command` out; returns the exit status. Its error goes to stderr, or to stdout as JSON. */
export async function runOnce(shell: Shell, command: string, output: BatchOutput): Promise<number> {
  const result = await shell.execute(command);
  return write(result, { to: "once", json: output.json }, output) ? 1 : 0;
}

/** Carries out every line of `input`; returns 1 when any failed. Waits for a reader that is slow. */
export async function runLines(shell: Shell, input: Readable, output: BatchOutput): Promise<number> {
  const form: Form = { to: "pipe", json: output.json };
  let exitStatus = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const result = await shell.execute(line);
    if (result.kind === "exit") break;
    if (write(result, form, output)) exitStatus = 1;
    if (output.stdout.writableNeedDrain) {
      await new Promise((resolve) => {
        output.stdout.once("drain", resolve);
      });
    }
  }
  return exitStatus;
}

/** Whether the result is a failure. */
function write(result: ShellResult, form: Form, { stdout, stderr }: BatchOutput): boolean {
  const { out, err, isFailure } = print(result, form);
  if (err !== undefined) stderr.write(`${err}\n`);
  if (typeof out === "string") stdout.write(`${out}\n`);
  else if (out !== undefined) stdout.write(Buffer.concat([out, Buffer.from("\n")]));
  return isFailure;
}
