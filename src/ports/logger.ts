/** What a node tells the people who operate it. */

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log lines, for people who operate the node. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
