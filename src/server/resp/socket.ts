/**
 * Sockets that read into one buffer for all of them. Node.js would else allocate 64 KiB for every read and cut
 * it to size, which costs more than parsing a request. It offers the buffer (`onread`) only to those who make
 * sockets, not to servers, so an accepted connection's handle is given to a socket made here. Where a release
 * of Node.js has no such handle, reads come as chunks of their own: slower, not different.
 */
import { type OnReadOpts, Socket } from "node:net";
import { asBytes, type Bytes } from "../../core/bytes.js";

/** Gets what a socket has read: `bytes[start, end)`, valid during the call. */
export type OnInput = (bytes: Bytes, start: number, end: number) => void;

interface HandleOwner {
  _handle?: object | null;
}

interface HandleOptions {
  handle: object;
  allowHalfOpen: boolean;
  readable: boolean;
  writable: boolean;
  onread: OnReadOpts;
}

/**
 * `accepted` comes paused from a server. What it reads goes to `buffer` from `start` on, then to `onInput`.
 * Returns the socket to use from now on; reading begins with `resume`.
 */
export function readIntoSharedBuffer(
  accepted: Socket,
  buffer: Bytes,
  start: number,
  onInput: OnInput,
): Socket {
  const owner = accepted as HandleOwner;
  const handle = owner._handle;
  if (handle === undefined || handle === null) {
    accepted.on("data", (chunk: Uint8Array) => onInput(asBytes(chunk), 0, chunk.length));
    return accepted;
  }
  owner._handle = null;
  const options: HandleOptions = {
    handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: {
      buffer: buffer.subarray(start),
      callback: (sizeBytes) => {
        onInput(buffer, start, start + sizeBytes);
        return true;
      },
    },
  };
  return new Socket(options);
}
