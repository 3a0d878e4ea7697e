/** The tables of a group, numbered: the numbers are part of files and of snapshot pieces. */
import type { TableName } from "../ports/storage-engine.js";

export const TABLES = ["data", "expiry", "meta"] as const satisfies readonly TableName[];

export const TABLE_COUNT = TABLES.length;

export function tableNumber(table: TableName): number {
  if (table === "data") return 0;
  return table === "expiry" ? 1 : 2;
}

/** The longest key an engine takes: the product's 1,024 bytes and what tables put before them. */
export const KEY_BYTES_MAX = 1536;

/** The largest value an engine takes: beyond the product's 64 MiB and what a record puts around it. */
export const VALUE_BYTES_MAX = 2 ** 27 - 1;
