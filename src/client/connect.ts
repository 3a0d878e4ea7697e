/** `connect`: a client of a running cluster. */
import { MinikeyError } from "../core/errors.js";
import { parseAddressOrUrl } from "./address.js";
import { Client } from "./client.js";
import { FailoverChannel } from "./failover-channel.js";
import { type ClientWorld, systemWorld } from "./world.js";

export interface ConnectOptions {
  readonly username?: string;
  readonly password?: string;
  /** Name or number; `default` when absent. */
  readonly keyspace?: string | number;
  /** From call to answer, retries included; 10,000 ms when absent. */
  readonly timeoutMs?: number;
  /** To connect and be greeted by one node; 2,000 ms when absent. */
  readonly connectTimeoutMs?: number;
  /** A node that owes an answer and sends nothing for this long is left for the next; 4,000 ms when absent. */
  readonly stallMs?: number;
  /** Calls that may wait in this client; beyond, they reject with `OVERLOADED`. 262,144 when absent. */
  readonly pendingMax?: number;
  /**
   * Number writes of one key, so that they are sent again after a lost connection and still apply once. True
   * when absent; false for servers that do not know `ONCE`, such as a plain Redis.
   */
  readonly session?: boolean;
}

const DEFAULTS = {
  timeoutMs: 10_000,
  connectTimeoutMs: 2_000,
  stallMs: 4_000,
  pendingMax: 262_144,
  session: true,
};

/**
 * A client of the cluster with nodes at `addresses` (`host:port` or `redis://host:port/keyspace`): it uses the
 * first that answers, and the next when that one is lost. Connects with the first call. Throws `BAD_REQUEST`
 * for what is not an address.
 */
export function connect(addresses: string | readonly string[], options: ConnectOptions = {}): Client {
  return new Client(openChannel(addresses, options));
}

/** The channel of `connect`, for tools that speak commands rather than methods, and for other worlds. */
export function openChannel(
  addresses: string | readonly string[],
  options: ConnectOptions = {},
  world: ClientWorld = systemWorld(),
): FailoverChannel {
  const texts = typeof addresses === "string" ? addresses.split(",") : addresses;
  const parsed = texts.map(parseAddressOrUrl);
  if (parsed.length === 0) throw new MinikeyError("BAD_REQUEST", "connect needs at least one address");
  const [first] = parsed;
  return new FailoverChannel(
    parsed.map((one) => one.address),
    {
      username: options.username ?? first.username,
      password: options.password ?? first.password,
      keyspace: options.keyspace ?? first.keyspace,
      timeoutMs: options.timeoutMs ?? DEFAULTS.timeoutMs,
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
      stallMs: options.stallMs ?? DEFAULTS.stallMs,
      pendingMax: options.pendingMax ?? DEFAULTS.pendingMax,
      session: options.session ?? DEFAULTS.session,
    },
    world,
  );
}
