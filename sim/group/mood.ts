/**
 * What a life of a group is like, besides its chances: some mistakes only show when several rare things meet, and in
 * some lives these are not rare.
 */
export interface Mood {
  /** Copies of messages arrive long after, paths grow slow, a leader that was deposed is elected again. */
  readonly isLate: boolean;
  /** Voters come and go while leaders do, and more than one leader thinks that it may change them. */
  readonly isRestless: boolean;
  /** Either: more happens, in more steps. */
  readonly isBusy: boolean;
}

/** A quarter of all lives each: neither, late, restless, both. */
export function moodOf(seed: number): Mood {
  const isLate = seed % 2 === 1;
  const isRestless = seed % 4 >= 2;
  return { isLate, isRestless, isBusy: isLate || isRestless };
}
