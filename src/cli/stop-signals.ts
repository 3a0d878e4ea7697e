/**
 * Signals that ask a command to stop: the first one cleanly, a second one at once.
 *
 * Under npm and npx one Ctrl-C arrives twice: the terminal sends it to every process of the foreground, and npm
 * passes its own on to what it runs (@npmcli/run-script, signal-manager.js). So signals that follow the first
 * within `REPEAT_MS` are the same wish.
 */
const REPEAT_MS = 500;

export interface StopWishes {
  readonly signals: readonly NodeJS.Signals[];
  /** The first signal. */
  readonly stop: () => void;
  /** Each later one. */
  readonly stopAtOnce: () => void;
}

/** Listens until the function that it returns is called. */
export function onStopSignals({ signals, stop, stopAtOnce }: StopWishes): () => void {
  let firstMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) {
      firstMs = nowMs;
      stop();
    } else if (nowMs - firstMs >= REPEAT_MS) stopAtOnce();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
