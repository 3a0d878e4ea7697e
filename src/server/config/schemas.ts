/**
 * The check of each kind of option (zod). A value comes as text from a flag or a variable, or as what YAML makes
 * of it; both end as the same typed value. `expected` is what an error says when the check fails.
 */
import { isIP } from "node:net";
import * as z from "zod";
import type { ClusterMember, OptionKind } from "./node-config.js";

export interface OptionSchema {
  readonly schema: z.ZodType;
  readonly expected: string;
}

const PORT_MAX = 65_535;
const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** `host:port`, with an IPv6 address in brackets. */
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):(\d{1,5})$/;
const SIZE = /^(\d{1,15})\s*(b|kb|kib|mb|mib|gb|gib)?$/i;
const SIZE_UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

const text = z.string().trim().min(1);
/** Digits only: no sign, no exponent, no fraction. */
const digits = z
  .string()
  .trim()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const wholeNumber = (min: number, max: number): z.ZodType<number> =>
  z.union([z.number(), digits]).pipe(z.int().min(min).max(max));

const nodeId = text.regex(NODE_ID);
const address = text.refine(isAddress);
const host = text.refine((value) => value === "localhost" || isIP(value) !== 0);

const isTrue = z.union([z.literal(true), z.stringbool({ truthy: ["true", "yes", "1"], falsy: [] })]);
const isFalse = z.union([z.literal(false), z.stringbool({ truthy: [], falsy: ["false", "no", "0"] })]);

/** From the file: `{n1: host:port, …}`; from a flag, and there too: `n1=host:port,…`. */
const members: z.ZodType<readonly ClusterMember[]> = z
  .union([text.transform(parseMembers), z.record(nodeId, address).transform(toMembers)])
  .pipe(z.array(z.object({ id: nodeId, address })).min(1))
  .refine((list) => new Set(list.map(({ id }) => id)).size === list.length)
  .refine((list) => new Set(list.map((member) => member.address)).size === list.length);

const size = z.union([z.number(), text.regex(SIZE).transform(parseSize)]);

const grouped = new Intl.NumberFormat("en-US");

export function schemaOf(kind: OptionKind): OptionSchema {
  switch (kind.type) {
    case "node-id":
      return { schema: nodeId, expected: "1 to 64 letters, digits, dots, dashes or underscores" };
    case "directory":
      return { schema: text, expected: "the path of a directory" };
    case "host":
      return { schema: host, expected: "an IP address or localhost" };
    case "port": {
      const port = wholeNumber(0, PORT_MAX);
      const expected = "a port between 1 and 65535, or 0 for any free one";
      if (!kind.canBeOff) return { schema: port, expected };
      return { schema: z.union([z.literal("off"), port]), expected: `${expected}, or off` };
    }
    case "address":
      return { schema: address, expected: "host:port" };
    case "members":
      return {
        schema: members,
        expected: "members as n1=host:port,n2=host:port, each name and address once",
      };
    case "switch":
      return { schema: z.union([isTrue, isFalse]), expected: "true or false" };
    case "count": {
      const expected = `a whole number between ${kind.min} and ${kind.max}`;
      return { schema: wholeNumber(kind.min, kind.max), expected };
    }
    case "size": {
      const range = `${grouped.format(kind.min)} and ${grouped.format(kind.max)} bytes`;
      return {
        schema: size.pipe(z.int().min(kind.min).max(kind.max)),
        expected: `a size between ${range}, such as 8mb`,
      };
    }
    case "choice":
      return { schema: z.enum(kind.choices), expected: kind.choices.join(", ") };
  }
}

function isAddress(value: string): boolean {
  const match = ADDRESS.exec(value);
  if (match === null) return false;
  const [, bracketed, , port] = match;
  return (bracketed === undefined || isIP(bracketed) === 6) && Number(port) >= 1 && Number(port) <= PORT_MAX;
}

function parseMembers(list: string): { id: string; address: string }[] {
  return list.split(",").map((one) => {
    const equals = one.indexOf("=");
    return { id: one.slice(0, Math.max(0, equals)).trim(), address: one.slice(equals + 1).trim() };
  });
}

function toMembers(record: Readonly<Record<string, string>>): { id: string; address: string }[] {
  return Object.entries(record).map(([id, one]) => ({ id, address: one }));
}

function parseSize(value: string): number {
  const [, amount, unit = "b"] = SIZE.exec(value)!;
  return Number(amount) * SIZE_UNITS[unit[0].toLowerCase()];
}
