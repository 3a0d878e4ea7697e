/**
 * What JSONPaths match and edits do, on plain JavaScript values: slow and short, to hold the real ones against.
 * A place is the list of names and positions that leads to it.
 */
import * as fc from "fast-check";
import { anyName, type Json } from "./documents.js";

export type Way = readonly (string | number)[];

export type ModelStep =
  | { readonly kind: "all"; readonly deep: boolean }
  | { readonly kind: "names"; readonly names: readonly string[]; readonly deep: boolean }
  | { readonly kind: "positions"; readonly positions: readonly number[]; readonly deep: boolean }
  | {
      readonly kind: "slice";
      readonly from?: number;
      readonly to?: number;
      readonly step: number;
      readonly deep: boolean;
    };

const anyPosition = fc.integer({ min: -4, max: 4 });

export const anyStep: fc.Arbitrary<ModelStep> = fc
  .tuple(
    fc.oneof(
      fc.constant({ kind: "all" as const }),
      fc.record({
        kind: fc.constant("names" as const),
        names: fc.array(anyName, { minLength: 1, maxLength: 2 }),
      }),
      fc.record({
        kind: fc.constant("positions" as const),
        positions: fc.array(anyPosition, { minLength: 1, maxLength: 2 }),
      }),
      fc.record(
        {
          kind: fc.constant("slice" as const),
          from: anyPosition,
          to: anyPosition,
          step: fc.integer({ min: 1, max: 2 }),
        },
        { requiredKeys: ["kind", "step"] },
      ),
    ),
    fc.boolean(),
  )
  .map(([step, deep]) => Object.assign({ deep }, step));

/** Steps as a JSONPath. */
export function pathText(steps: readonly ModelStep[]): string {
  return `$${steps.map((step) => `${step.deep ? ".." : ""}[${inBrackets(step)}]`).join("")}`;
}

function inBrackets(step: ModelStep): string {
  switch (step.kind) {
    case "all":
      return "*";
    case "names":
      return step.names.map((name) => JSON.stringify(name)).join(",");
    case "positions":
      return step.positions.join(" , ");
    case "slice":
      return `${step.from ?? ""}:${step.to ?? ""}${step.step === 1 ? "" : `:${step.step}`}`;
  }
}

export function valueAt(document: Json, way: Way): Json {
  let value = document;
  for (const part of way) value = (value as Record<string | number, Json>)[part];
  return value;
}

const isObject = (value: Json): value is { [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function membersOf(value: Json): (string | number)[] {
  if (Array.isArray(value)) return value.map((_, i) => i);
  return isObject(value) ? Object.keys(value) : [];
}

/** The members of `value` that a step selects, when it is not deep. */
function chosen(value: Json, step: ModelStep): (string | number)[] {
  if (step.kind === "all") return membersOf(value);
  if (step.kind === "names") {
    return isObject(value) ? step.names.filter((name) => Object.hasOwn(value, name)) : [];
  }
  if (!Array.isArray(value)) return [];
  const positions = value.map((_, i) => i);
  if (step.kind === "positions")
    return step.positions.map((at) => positions.at(at)).filter((at) => at !== undefined);
  const { from, to, step: by } = step;
  return positions.slice(from ?? 0, to ?? value.length).filter((_, i) => i % by === 0);
}

/** What the steps match, in RedisJSON's order. */
export function waysOf(document: Json, steps: readonly ModelStep[]): Way[] {
  let ways: Way[] = [[]];
  for (const step of steps) ways = ways.flatMap((way) => stepFrom(document, way, step));
  return ways;
}

function stepFrom(document: Json, way: Way, step: ModelStep): Way[] {
  const value = valueAt(document, way);
  const here = chosen(value, step).map((part) => way.concat(part));
  if (!step.deep) return here;
  return [...here, ...membersOf(value).flatMap((part) => stepFrom(document, [...way, part], step))];
}

const isInside = (way: Way, outer: Way): boolean =>
  way.length > outer.length && outer.every((part, i) => part === way[i]);

const isSame = (a: Way, b: Way): boolean => a.length === b.length && a.every((part, i) => part === b[i]);

/** Each once, and none that lies in another. */
export function outermostWays(ways: readonly Way[]): Way[] {
  const unique = ways.filter((way, i) => ways.findIndex((other) => isSame(way, other)) === i);
  return unique.filter((way) => !unique.some((other) => isInside(way, other)));
}

/** Puts `value` at a place of `document`, which is changed; returns the document. */
export function put(document: Json, way: Way, value: Json): Json {
  if (way.length === 0) return value;
  const parent = valueAt(document, way.slice(0, -1)) as Record<string | number, Json>;
  Object.defineProperty(parent, way[way.length - 1], {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  return document;
}

/** Removes places, outermost ones, from `document`, which is changed. */
export function remove(document: Json, ways: readonly Way[]): void {
  // What is deeper and what is further back first, so that positions stay what they are.
  const order = ways.toSorted((a, b) => b.length - a.length || Number(b.at(-1)) - Number(a.at(-1)));
  for (const way of order) {
    const parent = valueAt(document, way.slice(0, -1));
    const last = way[way.length - 1];
    if (Array.isArray(parent)) parent.splice(last as number, 1);
    else delete (parent as { [name: string]: Json })[last];
  }
}

/** Changes every match, those inside of others first; one that is matched twice, twice. */
export function change(document: Json, ways: readonly Way[], how: (value: Json) => Json | undefined): Json {
  let result = document;
  for (const way of ways.toSorted((a, b) => b.length - a.length)) {
    const value = how(valueAt(result, way));
    if (value !== undefined) result = put(result, way, value);
  }
  return result;
}

/** RFC 7396, as its pseudocode has it. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const fields = new Map(target !== undefined && isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) fields.delete(name);
    else fields.set(name, mergePatch(fields.get(name), value));
  }
  return Object.fromEntries(fields);
}
