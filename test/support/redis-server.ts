/** A real redis-server to compare with, where one is installed. */
import { spawn, spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "./ports.js";
import { RawConnection } from "./raw-replies.js";
import { skipWithout } from "./requirement.js";

/** The release line whose replies are the reference. */
const WANTED = /v=7\.0\./;

/** For `skip` of a test that compares with redis-server. */
export function skipWithoutRedis(): string | false {
  return skipWithout("redis", whyNoRedis());
}

function whyNoRedis(): string | undefined {
  const { stdout, error } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  if (error !== undefined) return "redis-server is missing: differential test not run";
  if (!WANTED.test(stdout))
    return `redis-server 7.0 is wanted, this is ${stdout.trim()}: differential test not run`;
  return undefined;
}

export interface RedisServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts one without persistence and with the same limit of value sizes; resolves when it answers. */
export async function startRedis(
  valueBytesMax: number,
  extraArgs: readonly string[] = [],
): Promise<RedisServer> {
  const [port] = await freePorts(1);
  const child = spawn(
    "redis-server",
    [
      "--port",
      `${port}`,
      "--save",
      "",
      "--bind",
      "127.0.0.1",
      "--proto-max-bulk-len",
      `${valueBytesMax}`,
      ...extraArgs,
    ],
    { stdio: "ignore" },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const isUp = async (): Promise<boolean> => {
    try {
      const connection = await RawConnection.open(port);
      connection.close();
      return true;
    } catch {
      return false;
    }
  };
  for (let tries = 0; !(await isUp()); tries += 1) {
    if (tries > 200 || child.exitCode !== null) throw new Error("redis-server did not start");
    await sleep(25);
  }
  return {
    port,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
