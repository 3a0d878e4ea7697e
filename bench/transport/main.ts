/**
 * What a frame costs between two nodes: two processes on loopback, frames of several sizes, few and many a turn.
 * The other side answers each of its turns with one small frame, as a follower acknowledges its appends. Prints
 * processor time rather than elapsed time where it can: that is what a busy node has too little of.
 *
 *     npm run bench -- transport [SECONDS]        seconds a line; default 1
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { allocBytes, type Bytes } from "../../src/core/bytes.js";
import { type NodeId, nodeId } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { silentLogger } from "../../src/platform/logger.js";
import { TcpTransport } from "../../src/platform/tcp-transport.js";

const SENDER = nodeId("sender");
const RECEIVER = nodeId("receiver");
/** Frames sent and not acknowledged: enough to keep both sides busy, too few to fill the kernel's buffers. */
const WINDOW_BYTES = 1024 * 1024;

interface Scene {
  readonly name: string;
  readonly sizeBytes: number;
  readonly framesPerTurn: number;
  /** Wait for each turn's answer: latency rather than throughput. */
  readonly lockstep: boolean;
}

const SCENES: readonly Scene[] = [
  { name: "one at a time", sizeBytes: 200, framesPerTurn: 1, lockstep: true },
  { name: "one a turn", sizeBytes: 200, framesPerTurn: 1, lockstep: false },
  { name: "10 a turn", sizeBytes: 200, framesPerTurn: 10, lockstep: false },
  { name: "100 a turn", sizeBytes: 200, framesPerTurn: 100, lockstep: false },
  { name: "one a turn", sizeBytes: 4096, framesPerTurn: 1, lockstep: false },
  { name: "5 a turn", sizeBytes: 4096, framesPerTurn: 5, lockstep: false },
  { name: "50 a turn", sizeBytes: 4096, framesPerTurn: 50, lockstep: false },
  { name: "one a turn", sizeBytes: 20_000, framesPerTurn: 1, lockstep: false },
  { name: "one a turn", sizeBytes: 1_000_000, framesPerTurn: 1, lockstep: false },
];

type FrameHandler = (from: NodeId, frame: Bytes) => void;

async function openTransport(id: NodeId, onFrame: FrameHandler): Promise<TcpTransport> {
  const transport = new TcpTransport({
    greeting: { nodeId: id, incarnation: 1, clusterId: "bench", stage: "formed", address: "" },
    listen: { host: "127.0.0.1", port: 0 },
    clock: systemClock(),
    logger: silentLogger,
  });
  await transport.start({ onFrame, onGreeting() {}, onUp() {}, onDown() {} });
  return transport;
}

/** The other process: acknowledges what each turn brought, and tells its processor time when asked. */
async function runReceiver(senderPort: number): Promise<void> {
  const clock = systemClock();
  const acknowledgement = allocBytes(6);
  let frames = 0;
  let scheduled = false;
  const acknowledge = (): void => {
    scheduled = false;
    acknowledgement.writeUIntLE(frames, 0, 6);
    transport.send(SENDER, [acknowledgement]);
  };
  const transport = await openTransport(RECEIVER, () => {
    frames += 1;
    if (scheduled) return;
    scheduled = true;
    clock.atTurnEnd(acknowledge);
  });
  transport.setPeers(new Map([[SENDER, `127.0.0.1:${senderPort}`]]));
  process.on("message", () => process.send!({ cpu: cpuMicros() }));
  process.on("disconnect", () => process.exit());
  process.send!({ port: transport.port });
}

const cpuMicros = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

async function runSender(seconds: number): Promise<void> {
  let acknowledged = 0;
  let onAcknowledged = (): void => {};
  const transport = await openTransport(SENDER, (_from, frame) => {
    acknowledged = frame.readUIntLE(0, 6);
    onAcknowledged();
  });
  const child = fork(fileURLToPath(import.meta.url), [`--receiver=${transport.port}`]);
  const ask = async (): Promise<number> => {
    child.send({});
    const [answer] = (await once(child, "message")) as [{ cpu: number }];
    return answer.cpu;
  };
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  transport.setPeers(new Map([[RECEIVER, `127.0.0.1:${port}`]]));
  while (!transport.isUp(RECEIVER)) await new Promise((resolve) => setTimeout(resolve, 10));

  let sent = 0;
  const runScene = async (scene: Scene, durationMs: number): Promise<number[]> => {
    const latenciesUs: number[] = [];
    const parts = [allocBytes(20), allocBytes(scene.sizeBytes - 20)];
    const window = scene.lockstep ? 1 : Math.max(2 * scene.framesPerTurn, WINDOW_BYTES / scene.sizeBytes);
    const endMs = performance.now() + durationMs;
    let sentMs = 0;
    await new Promise<void>((resolve) => {
      let scheduled = false;
      const sendTurn = (): void => {
        scheduled = false;
        if (performance.now() >= endMs) {
          onAcknowledged = () => {
            if (acknowledged === sent) resolve();
          };
          onAcknowledged();
          return;
        }
        if (sent - acknowledged >= window) return;
        for (let i = 0; i < scene.framesPerTurn; i += 1) transport.send(RECEIVER, parts);
        sent += scene.framesPerTurn;
        sentMs = performance.now();
        if (!scene.lockstep) schedule();
      };
      const schedule = (): void => {
        if (scheduled) return;
        scheduled = true;
        setImmediate(sendTurn);
      };
      onAcknowledged = () => {
        if (scene.lockstep) {
          latenciesUs.push((performance.now() - sentMs) * 1000);
          sendTurn();
        } else schedule();
      };
      schedule();
    });
    return latenciesUs;
  };

  console.log(
    "scene            frame bytes   frames/s     MB/s   CPU µs/frame: sender  receiver   round trip µs p50 p99",
  );
  for (const scene of SCENES) {
    await runScene(scene, seconds * 300);
    const before = { cpu: cpuMicros(), other: await ask(), sent, ms: performance.now() };
    const latencies = await runScene(scene, seconds * 1000);
    const frames = sent - before.sent;
    const elapsedSeconds = (performance.now() - before.ms) / 1000;
    const own = (cpuMicros() - before.cpu) / frames;
    const other = ((await ask()) - before.other) / frames;
    latencies.sort((a, b) => a - b);
    const at = (share: number): string => latencies[Math.floor(latencies.length * share)]?.toFixed(0) ?? "";
    console.log(
      scene.name.padEnd(16),
      String(scene.sizeBytes).padStart(11),
      (frames / elapsedSeconds).toFixed(0).padStart(10),
      ((frames * scene.sizeBytes) / elapsedSeconds / 1e6).toFixed(0).padStart(8),
      own.toFixed(2).padStart(21),
      other.toFixed(2).padStart(9),
      at(0.5).padStart(18),
      at(0.99).padStart(4),
    );
  }
  child.disconnect();
  await transport.stop();
}

const receiver = process.argv.find((argument) => argument.startsWith("--receiver="));
if (receiver === undefined) await runSender(Number(process.argv[2] ?? 1));
else await runReceiver(Number(receiver.split("=")[1]));
