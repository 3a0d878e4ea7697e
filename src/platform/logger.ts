/**
 * Structured log lines through pino, one JSON object a line, for people and for log collectors.
 *
 * pino is imported when the first logger is made, not with this file: a command line that only prints its
 * help does not pay for it.
 */
import type { LogFields, Logger } from "../ports/logger.js";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  /** In every line: the node's name, for example. */
  readonly fields?: LogFields;
  /** File descriptor; 2 (stderr) by default, because stdout belongs to results. */
  readonly descriptor?: number;
}

/**
 * Lines are written at once (synchronously): those before a crash are the ones that matter, and a node logs
 * little.
 */
export async function openLogger(options: LoggerOptions): Promise<Logger> {
  const { pino } = await import("pino");
  const destination = pino.destination({ dest: options.descriptor ?? 2, sync: true });
  const out = pino(
    {
      level: options.level,
      base: { ...options.fields },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    debug: (message, fields) => out.debug(fields ?? {}, message),
    info: (message, fields) => out.info(fields ?? {}, message),
    warn: (message, fields) => out.warn(fields ?? {}, message),
    error: (message, fields) => out.error(fields ?? {}, message),
  };
}

/** Says nothing: for an embedded node whose host has not asked for lines. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
