/** Commands of spread `local`: who answers which. The table says what they take; `local/` holds what they do. */

import type { Reply } from "../../commands/reply.js";
import { COMMANDS } from "../../commands/table.js";
import type { Args, CommandSpec } from "../../commands/types.js";
import { assert } from "../../core/assert.js";
import { MinikeyError } from "../../core/errors.js";
import { clientCommand } from "./local/client-command.js";
import { clusterCommand } from "./local/cluster-command.js";
import { commandCommand } from "./local/command-command.js";
import { configCommand } from "./local/config-command.js";
import { CONNECTION_HANDLERS } from "./local/connection-commands.js";
import { infoCommand } from "./local/info-command.js";
import { consistencyCommand, keyspaceCommand } from "./local/minikey-commands.js";
import type { Client, LocalHandler, LocalReply, LocalServices } from "./local/services.js";

const HANDLERS: Readonly<Record<string, LocalHandler>> = {
  ...CONNECTION_HANDLERS,
  CLIENT: clientCommand,
  COMMAND: commandCommand,
  CONFIG: configCommand,
  INFO: infoCommand,
  CLUSTER: clusterCommand,
  CONSISTENCY: consistencyCommand,
  KEYSPACE: keyspaceCommand,
};

export class LocalCommands {
  readonly #services: LocalServices;
  readonly #handlers = new Map<CommandSpec, LocalHandler>();

  constructor(services: LocalServices) {
    this.#services = services;
    for (const spec of COMMANDS.specs) {
      if (spec.spread !== "local") continue;
      assert(Object.hasOwn(HANDLERS, spec.name), "nothing answers %", spec.name);
      this.#handlers.set(spec, HANDLERS[spec.name]);
    }
  }

  /** The reply, `MinikeyError`s included. `args` have the command's arity. */
  run(client: Client, spec: CommandSpec, args: Args): LocalReply {
    const handler = this.#handlers.get(spec);
    assert(handler !== undefined, "nothing answers %", spec.name);
    try {
      const reply = handler(this.#services, client, args);
      return reply instanceof Promise ? reply.catch(errorReply) : reply;
    } catch (error) {
      return errorReply(error);
    }
  }
}

function errorReply(error: unknown): Reply {
  if (error instanceof MinikeyError) return error;
  throw error;
}
