/**
 * One process at a time in a data directory: two nodes writing one log would destroy it.
 *
 * The lock is something the kernel holds for the process and drops with it, `kill -9` included, so there is
 * no stale lock to judge and no race in taking one over:
 *
 *   Linux        a socket of the abstract namespace named after the directory's device and inode
 *   Windows      a named pipe, named alike
 *   macOS, BSD   the file `lock`, opened with O_EXLOCK
 *
 * An abstract socket is seen within one network namespace: two containers that share a volume do not see each
 * other's lock. The file `lock` holds the holder's process id, for people and for the loser's message only.
 */
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { MinikeyError } from "../core/errors.js";

export interface DirectoryLock {
  /** Harmless when called again. */
  release(): Promise<void>;
}

const LOCK_FILE = "lock";
const ATTEMPTS = 5;
const HOLDER_ANSWER_MS = 500;

/**
 * Locks a directory that exists for this process. Rejects with `MinikeyError` `DATA_IN_USE`, which names the
 * directory and the process that holds it; a second lock within one process is refused too.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const { dev, ino } = await fs.promises.stat(directory, { bigint: true });
  const file = path.join(directory, LOCK_FILE);
  if (process.platform === "linux") return lockByAddress(directory, file, `\0minikeydb-${dev}-${ino}`);
  if (process.platform === "win32") {
    return lockByAddress(directory, file, `\\\\.\\pipe\\minikeydb-${dev}-${ino}`);
  }
  return lockByFile(directory, file);
}

/** Listening on a name is exclusive from the moment of binding it. */
async function lockByAddress(directory: string, file: string, address: string): Promise<DirectoryLock> {
  for (let attempt = 1; ; attempt += 1) {
    const server = await listen(address);
    if (server !== undefined) {
      await fs.promises.writeFile(file, `${process.pid}\n`, { mode: 0o600 });
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    }
    const holder = await askHolder(address);
    // The holder may have gone between the two calls.
    if (holder === "gone" && attempt < ATTEMPTS) continue;
    throw inUse(directory, typeof holder === "number" ? holder : await readHolder(file));
  }
}

/** Undefined when another process listens there. */
function listen(address: string): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      // A loser that went away before its answer is no concern of the holder.
      socket.on("error", () => socket.destroy());
      socket.end(String(process.pid));
    });
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(undefined);
      else reject(error);
    });
    // `exclusive`: workers of Node.js's `cluster` module would otherwise share the primary's socket.
    server.listen({ path: address, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** The holder's process id; `gone` when nobody listens, `silent` when it does not answer (stopped, busy). */
function askHolder(address: string): Promise<number | "gone" | "silent"> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: address });
    let text = "";
    socket.setTimeout(HOLDER_ANSWER_MS, () => {
      socket.destroy();
      resolve("silent");
    });
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.on("end", () => resolve(/^\d+$/.test(text) ? Number(text) : "silent"));
    socket.on("error", () => resolve("gone"));
  });
}

/** From <fcntl.h> of macOS and the BSDs; Node.js does not name it. */
const O_EXLOCK = 0x20;

async function lockByFile(directory: string, file: string): Promise<DirectoryLock> {
  const { O_RDWR, O_CREAT, O_NONBLOCK } = fs.constants;
  try {
    const handle = await fs.promises.open(file, O_RDWR | O_CREAT | O_NONBLOCK | O_EXLOCK, 0o600);
    await handle.truncate(0);
    await handle.write(`${process.pid}\n`, 0);
    let released = false;
    return {
      async release() {
        if (released) return;
        released = true;
        await handle.close();
      },
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EAGAIN" && code !== "EWOULDBLOCK") throw error;
    throw inUse(directory, await readHolder(file));
  }
}

async function readHolder(file: string): Promise<number | undefined> {
  const text = await fs.promises.readFile(file, "latin1").catch(() => "");
  return /^\d+\n$/.test(text) ? Number(text) : undefined;
}

function inUse(directory: string, holder: number | undefined): MinikeyError {
  const who = holder === undefined ? "another process" : `process ${holder}`;
  return new MinikeyError("DATA_IN_USE", `data directory ${path.resolve(directory)} is in use by ${who}`);
}
