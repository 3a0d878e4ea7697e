/** Scans while writes go on: what was there all along is seen, and nothing that never was. */
import assert from "node:assert/strict";
import { isKnown } from "../cluster/client.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

const LASTING = Array.from({ length: 25 }, (_, i) => `s-lasting-${i}`);

/** One scan, from its first page to its last. */
interface Scan {
  readonly seen: Set<string>;
  /** What was there before it began. */
  readonly lasting: readonly string[];
}

export class Scans implements Workload {
  readonly name = "scans";
  readonly property = "scans see what stays";
  finished = 0;
  #written = 0;
  /** All that lasts is there. */
  #isComplete = false;

  start(load: Load): void {
    const client = load.newClient({}, 0.5);
    this.#writeLasting(load, client, () => {
      repeat(load, (next) => this.#scan(load, client, "0", this.#newScan(), next));
    });
    const churner = load.newClient();
    repeat(load, (next) => this.#churn(load, churner, next));
  }

  #writeLasting(load: Load, client: LoadClient, then: () => void): void {
    const left = [...LASTING];
    const step = () => {
      const key = left.at(-1);
      if (key === undefined) {
        this.#isComplete = true;
        then();
      } else {
        client.send(["SET", key, "1"], (answer) => {
          if (isKnown(answer)) left.pop();
          load.world.schedule(1, step);
        });
      }
    };
    step();
  }

  #churn(load: Load, client: LoadClient, next: () => void): void {
    const { random } = load.world;
    this.#written += 1;
    const key = `s-churn-${random.below(30)}`;
    client.send(random.chance(0.5) ? ["SET", key, `${this.#written}`] : ["DEL", key], () => next());
  }

  #newScan(): Scan {
    return { seen: new Set(), lasting: this.#isComplete ? LASTING : [] };
  }

  #scan(load: Load, client: LoadClient, cursor: string, scan: Scan, next: () => void): void {
    const { random } = load.world;
    const again = () => load.world.schedule(20, () => this.#scan(load, client, cursor, scan, next));
    if (cursor === "0" && random.chance(0.2)) {
      client.send(["KEYS", "s-*"], (answer) => {
        if (!isKnown(answer)) return again();
        this.#checkSeen(load, { ...scan, seen: new Set(answer as string[]) });
        next();
      });
      return;
    }
    client.send(["SCAN", cursor, "MATCH", "s-*", "COUNT", `${1 + random.below(12)}`], (answer) => {
      if (!isKnown(answer)) return again();
      const [nextCursor, keys] = answer as [string, string[]];
      for (const key of keys) scan.seen.add(key);
      if (nextCursor !== "0") this.#scan(load, client, nextCursor, scan, next);
      else {
        this.#checkSeen(load, scan);
        next();
      }
    });
  }

  #checkSeen(load: Load, { seen, lasting }: Scan): void {
    this.finished += 1;
    const missed = lasting.filter((key) => !seen.has(key));
    load.expect(missed.length === 0, `a scan missed keys that were there all along: ${missed.join(" ")}`);
    const invented = [...seen].filter((key) => !/^s-(?:lasting|churn)-\d+$/.test(key));
    load.expect(invented.length === 0, `a scan showed keys never written: ${invented.join(" ")}`);
  }

  async check(load: Load): Promise<void> {
    const { world } = load;
    const before = this.finished;
    const client = load.newClient();
    this.#scan(load, client, "0", this.#newScan(), () => undefined);
    assert(
      await world.run(30_000, () => this.finished > before),
      "the healed cluster does not answer a scan",
    );
  }
}
