import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { closestWord } from "../../../../src/server/config/closest-word.js";

describe("the closest word", () => {
  const words = ["respPort", "httpPort", "host", "id", "data"];

  it("is one that differs by a slip: a letter more, less, other or swapped, or its case", () => {
    const slips = ["respPrt", "respPoort", "respPoet", "respProt", "resp_Port", "RESPPORT", "repsPrt"];
    for (const slip of slips) assert.equal(closestWord(slip, words), "respPort", slip);
  });

  it("is none when nothing is close, and never just a word of the same length", () => {
    for (const typed of ["colour", "port", "xy", "", "join"]) {
      assert.equal(closestWord(typed, words), undefined, typed);
    }
  });

  it("is the word itself, and the first of equally close ones", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z]{4,8}$/), { minLength: 1 }), (list) => {
        for (const word of list) assert.equal(closestWord(word, list), word);
      }),
    );
    assert.equal(closestWord("hostt", ["hosta", "hostb"]), "hosta");
  });
});
