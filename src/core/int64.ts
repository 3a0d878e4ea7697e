/** The bounds of signed 64-bit integers, which counters and the integers of documents keep to. */
export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);
