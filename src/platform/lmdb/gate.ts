/**
 * Keeps a process from ending in the middle of a transaction. When a process exits, Node.js stops its threads
 * wherever they are and has each close its environment; in a write transaction LMDB then waits for a lock that
 * the thread holds itself, for ever. So the thread goes through a gate for each job, and an exiting process waits
 * until it is through, and closes the gate behind it.
 */

const FREE = 0;
const TAKEN = 1;
const CLOSED = 2;

/** A transaction that takes longer is given up together with the process, as by `kill -9`. */
const WAIT_MS = 10_000;

/** Shared with the thread: one 32-bit word. */
export const newGate = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

/** The thread's side: runs `job`, unless the process is exiting. */
export function passGate(gate: Int32Array, job: () => void): void {
  if (Atomics.compareExchange(gate, 0, FREE, TAKEN) === CLOSED) return;
  try {
    job();
  } finally {
    Atomics.store(gate, 0, FREE);
    Atomics.notify(gate, 0);
  }
}

/** Waits until no job is under way, and lets none begin. False when that takes longer than `waitMs`. */
export function closeGate(gate: Int32Array, waitMs: number): boolean {
  const untilMs = performance.now() + waitMs;
  while (Atomics.compareExchange(gate, 0, FREE, CLOSED) === TAKEN) {
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) return false;
    Atomics.wait(gate, 0, TAKEN, leftMs);
  }
  return true;
}

const gates = new Set<Int32Array>();

function onExit(): void {
  for (const gate of gates) if (!closeGate(gate, WAIT_MS)) process.kill(process.pid, "SIGKILL");
}

/** From now on the process ends only between two jobs; calling what this returns takes that back. */
export function guardExit(gate: Int32Array): () => void {
  if (gates.size === 0) process.on("exit", onExit);
  gates.add(gate);
  return () => {
    gates.delete(gate);
    if (gates.size === 0) process.off("exit", onExit);
  };
}
