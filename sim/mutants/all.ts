/** All mutants, by what they change. */
import { CLIENT_MUTANTS } from "./client-mutants.js";
import { EVENTUAL_MUTANTS } from "./eventual-mutants.js";
import type { Mutant } from "./mutant.js";
import { NODE_MUTANTS } from "./node-mutants.js";
import { RAFT_MUTANTS } from "./raft-mutants.js";
import { STORAGE_MUTANTS } from "./storage-mutants.js";
import { TRANSACTION_MUTANTS } from "./transaction-mutants.js";

export const MUTANTS: readonly Mutant[] = [
  ...RAFT_MUTANTS,
  ...STORAGE_MUTANTS,
  ...NODE_MUTANTS,
  ...TRANSACTION_MUTANTS,
  ...CLIENT_MUTANTS,
  ...EVENTUAL_MUTANTS,
];
