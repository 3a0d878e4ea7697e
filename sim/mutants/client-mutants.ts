/** Mistakes in the library's client and in the RESP server's connections. */
import type { Attack, Mutant } from "./mutant.js";

const LIBRARY: Attack = { scenario: "library", seedsMax: 100 };

export const CLIENT_MUTANTS: readonly Mutant[] = [
  {
    name: "new-number-for-a-retry",
    mistake: "What a lost connection leaves unanswered is sent on the next like anything new.",
    file: "src/client/failover-channel.ts",
    text: "if (outgoing.mayRetry && !refused) again.push(outgoing);",
    replacement: `if (outgoing.mayRetry && !refused) {
        outgoing.forgetNumber();
        again.push(outgoing);
      }`,
    attack: LIBRARY,
  },
  {
    name: "retry-without-a-number",
    mistake: "Whatever was lost is sent again, numbered or not.",
    file: "src/client/outgoing.ts",
    text: `return this.request.kind === "read" || this.sequence !== 0;`,
    replacement: "return true;",
    attack: LIBRARY,
  },
  {
    name: "last-refusal-counts",
    mistake:
      "A write is not applied when its last attempt was refused; what became of those before is forgotten.",
    file: "src/client/failover-channel.ts",
    text: "      outgoing.isUncertain ||= outgoing.wasSent;\n",
    replacement: "",
    attack: LIBRARY,
  },
  {
    name: "writer-given-back-early",
    mistake: "What is written to a socket has left, so that its memory can be used again.",
    file: "src/server/resp/connection.ts",
    text: "if (this.#socket.writableLength === 0) this.#host.giveWriter(output);",
    replacement: "this.#host.giveWriter(output);",
    attack: LIBRARY,
  },
  {
    name: "reply-before-its-turn",
    mistake: "A reply that is there is sent, also before those of commands that came earlier.",
    file: "src/server/resp/connection.ts",
    text: `    if (this.#head !== undefined) {
      this.#enqueue().onReply(reply);
      return;
    }
`,
    replacement: "",
    attack: LIBRARY,
  },
];
