/** The cluster that a command talks to: `--connect host:port,…`. */
import type { ConnectOptions } from "../client/connect.js";
import { openChannel } from "../client/connect.js";
import type { FailoverChannel } from "../client/failover-channel.js";
import { MinikeyError } from "../core/errors.js";
import { ExitError } from "./failure.js";

/** The three nodes of `npm start`. */
export const DEFAULT_CONNECT = "127.0.0.1:6380,6381,6382";
export const DEFAULT_HTTP = "127.0.0.1:8000,8001,8002";

/**
 * A list of addresses as people type it: commas or spaces between them, and a bare port for another one on
 * the same host (`127.0.0.1:6380,6381,6382`).
 */
export function splitAddresses(text: string): string[] {
  const addresses: string[] = [];
  let host = "127.0.0.1";
  for (const part of text.split(/[\s,]+/)) {
    if (part === "") continue;
    if (/^\d+$/.test(part)) {
      addresses.push(`${host}:${part}`);
    } else {
      host = /^(.*):\d+$/.exec(part)?.[1] ?? part;
      addresses.push(part);
    }
  }
  if (addresses.length === 0) throw new ExitError("--connect needs at least one host:port", 2);
  return addresses;
}

/** A channel to the first of the addresses that answers; fails with one line when none does. */
export async function openReadyChannel(
  connectText: string,
  options: ConnectOptions = {},
): Promise<FailoverChannel> {
  const channel = openChannel(splitAddresses(connectText), options);
  try {
    await channel.ready();
    return channel;
  } catch (error) {
    await channel.close();
    throw error instanceof MinikeyError && error.code === "CONNECTION_LOST" ? unreachable(error) : error;
  }
}

/** What a person needs when nothing answers. */
export function unreachable(error: MinikeyError): ExitError {
  return new ExitError(`${error.message}. Is the cluster running? \`npm start\` starts one on this machine`);
}

/** Why a node did not answer, without its address: `connection refused` of `no node answers (host:6380: connection refused)`. */
export function reasonOf(error: MinikeyError, address: string): string {
  const inner = /^no node answers \((.*)\)$/.exec(error.message)?.[1] ?? error.message;
  return inner.startsWith(`${address}: `) ? inner.slice(address.length + 2) : inner;
}
