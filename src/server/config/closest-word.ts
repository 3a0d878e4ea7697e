/** What somebody may have meant: the word with the fewest edits between (Damerau–Levenshtein). */

const EDITS_MAX = 2;

/** The closest of `words` within two edits, the first of equals; undefined when none is that close. */
export function closestWord(typed: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = EDITS_MAX + 1;
  for (const word of words) {
    const edits = editsBetween(typed.toLowerCase(), word.toLowerCase());
    // Two edits turn any short word into any other.
    if (edits < bestEdits && edits * 2 < Math.max(typed.length, word.length)) {
      best = word;
      bestEdits = edits;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editsBetween(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [
    i,
    ...Array.from<number>({ length: b.length }).fill(0),
  ]);
  for (let j = 0; j <= b.length; j += 1) rows[0][j] = j;
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      rows[i][j] = Math.min(
        rows[i - 1][j] + 1,
        rows[i][j - 1] + 1,
        replaced,
        swapped ? rows[i - 2][j - 2] + 1 : replaced,
      );
    }
  }
  return rows[a.length][b.length];
}
