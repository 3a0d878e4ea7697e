/** What the server counts, for `INFO` and for metrics. */
export class ServerStats {
  commands = 0;
  connectionsReceived = 0;
  rejectedConnections = 0;
  inputBytes = 0;
  outputBytes = 0;
  /** As of the last `sample`. */
  commandsPerSecond = 0;
  #sampledCommands = 0;

  /** To be called every `periodMs`. */
  sample(periodMs: number): void {
    this.commandsPerSecond = Math.round(((this.commands - this.#sampledCommands) * 1000) / periodMs);
    this.#sampledCommands = this.commands;
  }
}
