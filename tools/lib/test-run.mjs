/**
 * Runs compiled test files, one process a file, and counts. What passes is silent; a failure is told in full
 * as it happens, with what its process wrote; figures that tests report (`t.diagnostic`) and the reasons of
 * skipped tests are collected.
 */
import { relative, resolve } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";

/** Totals that the runner adds at its end, among the diagnostics of the tests. */
const TOTALS = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/**
 * @param {string[]} files absolute paths of compiled tests
 * @param {{ root: string, concurrency: number, timeoutMs: number, signal?: AbortSignal, write: (text: string) => void }} options
 *   `timeoutMs` bounds each file; `signal` ends those that run and starts no more
 * @returns {Promise<{ passed: number, failed: number, skipped: string[], notes: string[] }>}
 */
export async function runTests(files, { root, concurrency, timeoutMs, signal, write }) {
  const result = { passed: 0, failed: 0, skipped: [], notes: [] };
  const seen = new Map(files.map((file) => [file, { tests: 0, failures: 0, output: "", names: [] }]));
  const stateOf = (data) => seen.get(resolve(data.file ?? ""));
  const title = (data, state) => {
    state.names[data.nesting] = data.name;
    const source = relative(root, data.file)
      .replace(/^dist\//, "")
      .replace(/\.js$/, ".ts");
    return [source, ...state.names.slice(0, data.nesting + 1)].join(" > ");
  };

  const onEnd = (data, passed) => {
    const state = stateOf(data);
    if (state === undefined) return;
    if (isWholeFile(data)) {
      onFileEnd(data, passed, state);
      return;
    }
    if (data.details.type === "suite" && passed) return;
    // A test that failed only because one inside it did has been told of already.
    if (!passed && data.details.error?.failureType === "subtestsFailed") return;
    state.tests += 1;
    if (data.skip !== undefined) {
      const reason = typeof data.skip === "string" && data.skip !== "" ? data.skip : "NO REASON GIVEN";
      result.skipped.push(`${title(data, state)}: ${reason}`);
    } else if (passed && data.todo === undefined) {
      result.passed += 1;
    } else {
      result.failed += 1;
      state.failures += 1;
      write(`\n✗ ${title(data, state)}\n${indent(describeError(data.details.error))}\n`);
    }
  };

  const onFileEnd = (data, passed, state) => {
    if (passed && state.tests > 0) return;
    result.failed += 1;
    state.failures += 1;
    const why = passed ? "the file holds no test" : data.details.error?.message;
    write(`\n✗ ${relative(root, data.file)}: ${why}\n`);
  };

  const events = run({ files, concurrency, timeout: timeoutMs, signal });
  events.on("test:start", (data) => {
    const state = stateOf(data);
    if (state !== undefined) state.names[data.nesting] = data.name;
  });
  events.on("test:pass", (data) => onEnd(data, true));
  events.on("test:fail", (data) => onEnd(data, false));
  events.on("test:diagnostic", (data) => {
    if (stateOf(data) !== undefined && !TOTALS.test(data.message)) result.notes.push(data.message);
  });
  const keep = (data) => {
    const state = stateOf(data);
    if (state !== undefined) state.output += data.message;
  };
  events.on("test:stdout", keep);
  events.on("test:stderr", keep);
  for await (const event of events) void event;

  for (const [file, state] of seen) {
    if (state.failures > 0 && state.output !== "") {
      write(`\nOutput of ${relative(root, file)}:\n${indent(state.output.trimEnd())}\n`);
    }
  }
  return result;
}

/** The runner reports a file as a test of its own when its process failed, or held no test. */
function isWholeFile(data) {
  return data.nesting === 0 && resolve(data.name) === resolve(data.file);
}

function describeError(error) {
  if (error === undefined) return "a test that is still to be done";
  const cause = error.cause ?? error;
  if (typeof cause === "string") return cause;
  // The message of a failed assertion holds both values already.
  const text = cause.code === "ERR_ASSERTION" ? cause.stack : inspect(cause, { depth: 6 });
  return text.replace(/\n\s+at [^\n]*\(?node:internal\/[^\n]*/g, "");
}

const indent = (text) => text.replace(/^(?=.)/gm, "  ");
