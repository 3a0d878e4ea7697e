/** What all lives of a run came to together, for people. */
import type { LifeReport } from "./life.js";

export class Totals {
  #lives = 0;
  #answered = 0;
  #unknown = 0;
  #refused = 0;
  #told = 0;
  #untold = 0;
  readonly #faults = new Map<string, number>();
  readonly #recoveriesMs = new Map<string, number[]>();

  add({ tally, faults, recoveriesMs, told, untold }: LifeReport): void {
    this.#lives += 1;
    this.#answered += tally.answered;
    this.#unknown += tally.unknown;
    this.#refused += tally.refused;
    this.#told += told;
    this.#untold += untold;
    for (const [name, count] of faults) this.#faults.set(name, (this.#faults.get(name) ?? 0) + count);
    for (const [name, times] of recoveriesMs) {
      this.#recoveriesMs.set(name, [...(this.#recoveriesMs.get(name) ?? []), ...times]);
    }
  }

  get text(): string {
    const strikes = [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
    const lines = [
      `${this.#lives} lives, ${strikes} faults; commands: ${this.#answered} answered, ${this.#unknown} of unknown ` +
        `outcome, ${this.#refused} refused`,
      `${this.#told} histories are linearizable${this.#untold > 0 ? `, ${this.#untold} took too long to judge` : ""}`,
    ];
    if (strikes > 0)
      lines.push(
        "from a strike until every partition took writes again, of those with no other fault at the time:",
        ...this.#faultLines(),
      );
    return lines.join("\n");
  }

  #faultLines(): string[] {
    return [...this.#faults.keys()].sort().map((name) => {
      const count = this.#faults.get(name) ?? 0;
      const timesMs = [...(this.#recoveriesMs.get(name) ?? [])].sort((a, b) => a - b);
      return `  ${name.padEnd(15)}${`× ${count}`.padEnd(7)}${medianAndWorst(timesMs)}`;
    });
  }
}

/** Of sorted times. */
function medianAndWorst(timesMs: readonly number[]): string {
  if (timesMs.length === 0) return "never alone";
  const figures = `median ${shown(timesMs[timesMs.length >> 1])}, worst ${shown(timesMs[timesMs.length - 1])}`;
  return `${figures}, of ${timesMs.length}`;
}

function shown(timeMs: number): string {
  return `${timeMs.toFixed(0).padStart(5)} ms`;
}
