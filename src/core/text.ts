/** Text that people read in messages. */

/** `text`, or its first `lengthMax` characters and `…` when it is longer: what a message repeats of an input. */
export const shorten = (text: string, lengthMax: number): string =>
  text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
