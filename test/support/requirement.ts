/**
 * What some tests need and a machine may lack. A test whose need is not met is skipped, and says why; where
 * `MINIKEYDB_TEST_REQUIRE` names the thing (`MINIKEYDB_TEST_REQUIRE=redis,curl`, as continuous integration does), that it is
 * missing is an error instead: there, nothing is left out unseen.
 */

/** `redis`: redis-server, redis-cli and redis-benchmark. `mount`: that a file system may be mounted.
 * `script`: util-linux's, which gives a program a terminal. `data`: the files of `MINIKEYDB_TEST_DATA`. */
const REQUIREMENTS = ["git", "redis", "redis-py", "curl", "strace", "mount", "script", "data"] as const;
export type Requirement = (typeof REQUIREMENTS)[number];

/** What `MINIKEYDB_TEST_REQUIRE` names; throws on a word that it does not know. */
export function readRequired(text: string): Set<Requirement> {
  const words = text.split(",").filter((word) => word !== "");
  return new Set(
    words.map((word) => {
      const known = REQUIREMENTS.find((name) => name === word);
      if (known === undefined) {
        throw new Error(
          `MINIKEYDB_TEST_REQUIRE knows ${REQUIREMENTS.join(", ")}, not ${JSON.stringify(word)}`,
        );
      }
      return known;
    }),
  );
}

/**
 * For `skip` of a test: false when the thing is there (`missing` is undefined), else the reason, which is
 * printed as well. Throws when the thing is required.
 */
export function skipWithout(
  name: Requirement,
  missing: string | undefined,
  required: string = process.env["MINIKEYDB_TEST_REQUIRE"] ?? "",
): string | false {
  if (missing === undefined) return false;
  if (readRequired(required).has(name))
    throw new Error(`${name} is required (MINIKEYDB_TEST_REQUIRE): ${missing}`);
  console.log(`\n*** ${missing} ***\n`);
  return missing;
}
