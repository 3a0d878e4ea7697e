/** A progress bar by bytes, on a terminal; nothing elsewhere. */
import type { SingleBar } from "cli-progress";
import type { Source } from "./source.js";

const DRAW_EVERY_MS = 100;

export class Progress {
  readonly #bar: SingleBar;
  readonly #timer: NodeJS.Timeout;
  readonly #draw: () => void;

  private constructor(bar: SingleBar, draw: () => void) {
    this.#bar = bar;
    this.#draw = draw;
    this.#timer = setInterval(draw, DRAW_EVERY_MS);
  }

  /** @param records records stored so far */
  static async start(
    source: Source,
    records: () => number,
    terminal: NodeJS.WriteStream,
  ): Promise<Progress | undefined> {
    const { totalBytes } = source;
    if (!terminal.isTTY || totalBytes === undefined || totalBytes === 0) return undefined;
    const { default: cliProgress } = await import("cli-progress");
    const bar = new cliProgress.SingleBar(
      {
        format: "{bar} {percentage}% · {records} records · {rate}/s · {eta_formatted} left",
        stream: terminal,
        hideCursor: true,
        clearOnComplete: true,
        barsize: 30,
      },
      cliProgress.Presets.shades_classic,
    );
    const startMs = performance.now();
    const figures = (): { records: string; rate: string } => {
      const count = records();
      const seconds = Math.max(0.001, (performance.now() - startMs) / 1_000);
      return { records: count.toLocaleString("en"), rate: Math.round(count / seconds).toLocaleString("en") };
    };
    bar.start(totalBytes, 0, figures());
    return new Progress(bar, () => bar.update(source.readBytes, figures()));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#draw();
    this.#bar.stop();
  }
}
