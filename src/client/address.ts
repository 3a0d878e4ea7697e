/** Where a node listens: `host:port`, `[::1]:port`, `host` (port 6380), or `redis://[user:password@]host:port[/n]`. */
import { MinikeyError } from "../core/errors.js";

export const DEFAULT_PORT = 6380;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Throws `BAD_REQUEST` for what is not an address. */
export function parseAddress(text: string): Address {
  const match = /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<host>[^\s:/@]+))(?::(?<port>\d{1,5}))?$/i.exec(text.trim());
  const host = match?.groups?.six ?? match?.groups?.host;
  const port = match?.groups?.port === undefined ? DEFAULT_PORT : Number(match.groups.port);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new MinikeyError("BAD_REQUEST", `not an address: ${JSON.stringify(text)} (expected host:port)`);
  }
  return { host, port };
}

export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

export interface ParsedUrl {
  readonly address: Address;
  readonly username?: string;
  readonly password?: string;
  readonly keyspace?: string;
}

/** An address in either form. The number after the slash of a `redis://` URL is the keyspace's. */
export function parseAddressOrUrl(text: string): ParsedUrl {
  if (!/^(redis|minikey):\/\//i.test(text)) return { address: parseAddress(text) };
  if (!URL.canParse(text)) throw new MinikeyError("BAD_REQUEST", `not an address: ${JSON.stringify(text)}`);
  const url = new URL(text);
  const keyspace = decodeURIComponent(url.pathname.slice(1));
  return {
    address: parseAddress(url.port === "" ? url.hostname : `${url.hostname}:${url.port}`),
    ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
    ...(keyspace === "" ? {} : { keyspace }),
  };
}
