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
  const waiting = [...files];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined && signal?.aborted !== true; file = waiting.shift()) {
      await runFile(file, { root, timeoutMs, signal, write, result });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return result;
}

/**
 * Runs one file and counts its tests into `result`. A file at a time, because the runner names a test's file
 * after the place where the test is written, and a shared suite is written in another file than the one that runs.
 */
async function runFile(file, { root, timeoutMs, signal, write, result }) {
  const state = { tests: 0, failures: 0, output: "", names: [] };
  const source = relative(root, file)
    .replace(/^dist\//, "")
    .replace(/\.js$/, ".ts");
  const title = (data) => {
    state.names[data.nesting] = data.name;
    return [source, ...state.names.slice(0, data.nesting + 1)].join(" > ");
  };

  const onEnd = (data, passed) => {
    if (isWholeFile(data, file)) {
      onFileEnd(data, passed);
      return;
    }
    // Of a suite that is skipped, its tests are never heard of.
    if (data.details.type === "suite" && passed && !isSkipped(data)) return;
    // A test that failed only because one inside it did has been told of already.
    if (!passed && data.details.error?.failureType === "subtestsFailed") return;
    state.tests += 1;
    if (isSkipped(data)) {
      const reason = typeof data.skip === "string" && data.skip !== "" ? data.skip : "NO REASON GIVEN";
      result.skipped.push(`${title(data)}: ${reason}`);
    } else if (passed && data.todo === undefined) {
      result.passed += 1;
    } else {
      result.failed += 1;
      state.failures += 1;
      write(`\n✗ ${title(data)}\n${indent(describeError(data.details.error))}\n`);
    }
  };

  const onFileEnd = (data, passed) => {
    if (passed && state.tests > 0) return;
    // A file fails because of a test in it, which is counted, or by itself.
    if (!passed && state.failures > 0) return;
    fileFailed(passed ? "the file holds no test" : data.details.error?.message);
  };

  const fileFailed = (why) => {
    result.failed += 1;
    state.failures += 1;
    write(`\n✗ ${source}: ${why}\n`);
  };

  const events = run({ files: [file], concurrency: 1, timeout: timeoutMs, signal });
  events.on("test:start", (data) => {
    state.names[data.nesting] = data.name;
  });
  events.on("test:pass", (data) => onEnd(data, true));
  events.on("test:fail", (data) => onEnd(data, false));
  events.on("test:diagnostic", (data) => {
    if (!TOTALS.test(data.message)) result.notes.push(data.message);
  });
  const keep = (data) => {
    state.output += data.message;
  };
  events.on("test:stdout", keep);
  events.on("test:stderr", keep);
  for await (const event of events) void event;

  if (state.tests === 0 && state.failures === 0) fileFailed("no test of the file was heard of");
  if (state.failures > 0 && state.output !== "") {
    write(`\nOutput of ${source}:\n${indent(state.output.trimEnd())}\n`);
  }
}

/** The runner reports a file as a test of its own when its process failed, or held no test. */
function isWholeFile(data, file) {
  return data.nesting === 0 && resolve(data.name) === resolve(file);
}

/** `skip` is `true` or the reason; some releases of Node.js name it, unset, where nothing is skipped. */
function isSkipped({ skip }) {
  return skip !== undefined && skip !== false;
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
