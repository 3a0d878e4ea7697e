/** Documents, names and paths as people would rather not have them, for the property tests of this folder. */
import * as fc from "fast-check";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export const NASTY_NAMES = [
  ...["a", "b", "aa", "", "0", "1", "01", "-1", "a.b", ".", "..", "a b", '"', "\\", "\\\\", '\\"', "\\u0061"],
  ...[
    "é",
    "e\u0301",
    "😀",
    "\ud800",
    "\ufffd",
    "\u0000",
    "\n",
    "/",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "'",
    "$",
    "*",
  ],
  ...["__proto__", "constructor", "toString", "x".repeat(40), `${"\\".repeat(30)}"`],
];

export const anyName: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom(...NASTY_NAMES), weight: 4 },
  { arbitrary: fc.string({ unit: "binary", maxLength: 40 }), weight: 1 },
);

export const anyDocument: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: "medium" },
    fc.constantFrom<Json>(null, true, false, 0, -1, 1.5, 1e300, 22, "", "text"),
    anyName,
    fc.array(tie("value"), { maxLength: 6 }),
    fc
      .array(fc.tuple(anyName, tie("value")), { maxLength: 6 })
      .map((fields) => Object.fromEntries<Json>(fields)),
  ),
})).value;

/** JSON text of a document in which every character of a string that can be is written as an escape. */
export function escapedJson(document: Json): string {
  return JSON.stringify(document).replaceAll(/"(?:[^"\\]|\\.)*"/g, (string) => {
    const text = JSON.parse(string) as string;
    let escaped = "";
    for (let i = 0; i < text.length; i += 1) {
      escaped += `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return `"${escaped}"`;
  });
}
