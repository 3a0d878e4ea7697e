import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { Glob } from "../../../src/commands/glob.js";

/**
 * What a pattern means, said as simply as can be, without sets: a star takes any number of characters, tried
 * one by one.
 */
function meansMatch(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern[0] === "*") {
    for (let taken = 0; taken <= text.length; taken += 1) {
      if (meansMatch(pattern.slice(1), text.slice(taken))) return true;
    }
    return false;
  }
  if (text === "") return false;
  if (pattern[0] === "\\" && pattern.length > 1) {
    return pattern[1] === text[0] && meansMatch(pattern.slice(2), text.slice(1));
  }
  return (pattern[0] === "?" || pattern[0] === text[0]) && meansMatch(pattern.slice(1), text.slice(1));
}

const letters = (characters: string, maxLength: number) =>
  fc
    .array(fc.constantFrom(...Array.from(characters)), { minLength: 1, maxLength })
    .map((parts) => parts.join(""));

describe("glob patterns", () => {
  it("match what they mean", () => {
    fc.assert(
      fc.property(letters("ab*?\\", 8), letters("ab\\", 8), (pattern, text) => {
        assert.equal(new Glob(pattern).matches(text), meansMatch(pattern, text), `${pattern} on ${text}`);
      }),
      { numRuns: 5_000 },
    );
  });

  it("match sets of characters as redis-server does, the odd ones included", () => {
    const examples: readonly (readonly [string, string, boolean])[] = [
      ["[abc]", "b", true],
      ["[abc]", "d", false],
      ["[a-c]x", "bx", true],
      ["[c-a]", "b", true],
      ["[^a-c]", "b", false],
      ["[^a-c]", "d", true],
      ["[\\]]", "]", true],
      ["[a", "a", true],
      ["[a", "b", false],
      ["[", "[", false],
      ["[^", "x", true],
      ["[]", "]", false],
      ["[a-]", "a", true],
      ["[a-]", "-", false],
      ["\\", "\\", true],
      ["a\\*", "a*", true],
      ["[\xf0-\xff]", "\xf8", true],
    ];
    for (const [pattern, text, expected] of examples) {
      assert.equal(new Glob(pattern).matches(text), expected, `${pattern} on ${text}`);
    }
  });

  it("know what every match starts with", () => {
    fc.assert(
      fc.property(letters("ab*?[]\\", 8), letters("ab[", 8), (pattern, text) => {
        const glob = new Glob(pattern);
        if (glob.matches(text)) assert.ok(text.startsWith(glob.prefix));
      }),
      { numRuns: 2_000 },
    );
    assert.equal(new Glob("user:*").prefix, "user:");
    assert.equal(new Glob("us\\*r?").prefix, "us*r");
  });

  it("take no longer than both lengths multiplied, where backtracking would take for ever", () => {
    const startedMs = performance.now();
    assert.equal(new Glob("*a".repeat(200)).matches("a".repeat(199)), false);
    assert.equal(new Glob(`${"*a".repeat(60)}b`).matches("a".repeat(1_000)), false);
    assert.ok(performance.now() - startedMs < 500);
  });
});
