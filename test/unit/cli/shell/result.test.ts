import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, type Form, print } from "../../../../src/cli/shell/result.js";
import { MinikeyError } from "../../../../src/core/errors.js";

const FORMS: readonly Form[] = (["terminal", "pipe", "once"] as const).map((to) => ({ to, json: false }));

/** As terminal, pipe and `-c` have it: stdout, stderr. */
const forms = (answer: Answer, json = false): [string | undefined, string | undefined][] =>
  FORMS.map((form) => {
    const { out, err } = print(answer, { ...form, json });
    return [out?.toString(), err];
  });

const reason = new MinikeyError("PATH_NOT_FOUND", 'person2.address has no field "nr"');

test("a field is shown behind its path in every form; its JSON text stays as it is", () => {
  const field: Answer = { kind: "document", name: "person2.address.number", json: Buffer.from("12") };
  for (const shown of forms(field)) assert.deepEqual(shown, ["person2.address.number -> 12", undefined]);
  const big: Answer = { kind: "document", name: "a.b", json: Buffer.from('{"n":12345678901234567890}') };
  for (const shown of forms(big, true)) assert.deepEqual(shown, ['{"n":12345678901234567890}', undefined]);
});

test("what is missing is said on stdout, and which part beside it", () => {
  assert.deepEqual(forms({ kind: "missing", reason }), [
    [`NOT FOUND\n(${reason.message})`, undefined],
    ["NOT FOUND", `minikey: ${reason.message}`],
    ["NOT FOUND", `minikey: ${reason.message}`],
  ]);
  const [[json]] = forms({ kind: "missing", reason }, true);
  assert.deepEqual(JSON.parse(json ?? ""), { error: reason.message, code: "PATH_NOT_FOUND" });
  assert.equal(print({ kind: "missing" }, FORMS[0]).isFailure, true);
});

test("a warning stands before the answer on a terminal, and leaves stdout alone elsewhere", () => {
  const answer: Answer = { kind: "number", text: "24", warning: "careful" };
  assert.deepEqual(forms(answer), [
    ["careful\n24", undefined],
    ["24", "careful"],
    ["24", "careful"],
  ]);
  const refused: Answer = { kind: "reply", reply: new MinikeyError("NO_QUORUM", "no"), warning: "careful" };
  assert.deepEqual(forms(refused), [
    ["careful\n(error) CLUSTERDOWN no", undefined],
    ["(error) CLUSTERDOWN no", "careful"],
    [undefined, "careful\nminikey: no"],
  ]);
});
