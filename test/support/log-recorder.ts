/** A logger that keeps what it is told, for tests of what people get to read. */
import type { LogFields, Logger } from "../../src/ports/logger.js";

export class LogRecorder implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];

  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "debug", message, fields });
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "error", message, fields });
  }

  /** The lines that contain `text`, in their message or their reason. */
  matching(text: string): { level: string; message: string; fields: LogFields }[] {
    return this.lines.filter(({ message, fields }) =>
      `${message}: ${String(fields["reason"])}`.includes(text),
    );
  }
}
