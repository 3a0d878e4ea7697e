/** Whether two parsed JSON values are the same: numbers as doubles, objects whatever the order of their names. */
export function isEqualJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, i) => isEqualJson(item, right[i]));
  }
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  const others = right as Readonly<Record<string, unknown>>;
  return names.every(
    (name) =>
      Object.hasOwn(right, name) &&
      isEqualJson((left as Readonly<Record<string, unknown>>)[name], others[name]),
  );
}
