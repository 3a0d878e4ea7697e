/** Randomness, so that a simulation can replay it. */
export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
  /** Uniform integer in [0, 2^48): for identifiers that must not collide in practice. */
  id48(): number;
}
