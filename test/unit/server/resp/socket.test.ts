import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { it } from "node:test";
import { allocBytes, type Bytes } from "../../../../src/core/bytes.js";
import { readIntoSharedBuffer } from "../../../../src/server/resp/socket.js";

it("sockets read into the shared buffer, behind its room, and write as others do", async (t) => {
  const buffer = allocBytes(100);
  const received: [Bytes, number, string][] = [];
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (accepted) => {
    const socket = readIntoSharedBuffer(accepted, buffer, 10, (bytes, start, end) => {
      received.push([bytes, start, bytes.latin1Slice(start, end)]);
      socket.write(bytes.subarray(start, end));
    });
    socket.on("end", () => socket.end("bye"));
    socket.resume();
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  for (const word of ["hello", "again"]) {
    const client = connect({ port, allowHalfOpen: true });
    let echoed = "";
    client.setEncoding("latin1").on("data", (text) => {
      echoed += text;
    });
    client.end(word);
    await once(client, "end");
    assert.equal(echoed, `${word}bye`);
  }
  assert.deepEqual(
    received.map(([, start, text]) => [start, text]),
    [
      [10, "hello"],
      [10, "again"],
    ],
  );
  assert.ok(received.every(([bytes]) => bytes === buffer));
});

it("where a socket has no handle to take over, its own chunks are read", async () => {
  const stream = new PassThrough();
  const received: string[] = [];
  const socket = readIntoSharedBuffer(stream as unknown as Socket, allocBytes(10), 0, (bytes, start, end) => {
    received.push(bytes.latin1Slice(start, end));
  });
  socket.resume();
  stream.end("hello");
  await once(stream, "end");
  assert.deepEqual(received, ["hello"]);
});
