/** The table entries of the `JSON.*` commands. Their opcodes are 120 to 159. */
import type { CommandSpec } from "../types.js";
import { JSON_LIST_COMMANDS } from "./lists.js";
import { JSON_OBJECT_COMMANDS } from "./objects.js";
import { JSON_SCALAR_COMMANDS } from "./scalars.js";
import { JSON_SEVERAL_COMMANDS } from "./several.js";
import { JSON_VALUE_COMMANDS } from "./values.js";
import { JSON_WHOLE_COMMANDS } from "./whole.js";

export const JSON_COMMANDS: readonly CommandSpec[] = [
  ...JSON_VALUE_COMMANDS,
  ...JSON_WHOLE_COMMANDS,
  ...JSON_SCALAR_COMMANDS,
  ...JSON_LIST_COMMANDS,
  ...JSON_OBJECT_COMMANDS,
  ...JSON_SEVERAL_COMMANDS,
];
