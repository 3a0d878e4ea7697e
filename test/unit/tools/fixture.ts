/** A small repository in a temporary directory, well made, into which a test puts one fault. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { repositoryRoot } from "../../support/repository.js";
import { makeTempDir } from "../../support/temp-dir.js";

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

const layer = (types: string[], references: string[]): string =>
  json({
    extends: "../../tsconfig.base.json",
    compilerOptions: { rootDir: ".", types },
    include: ["**/*.ts"],
    references: references.map((path) => ({ path })),
  });

/** Two pure layers, `core` below `storage`, and `platform`, which may touch the world. */
const FILES: Readonly<Record<string, string>> = {
  "package.json": json({
    type: "module",
    dependencies: { lmdb: "1.0.0" },
    devDependencies: { redis: "1.0.0" },
  }),
  "package-lock.json": json({ packages: {} }),
  "tsconfig.json": json({
    files: [],
    references: ["src/core", "src/storage", "src/platform"].map((path) => ({ path })),
  }),
  "tools/layers.json": json({
    core: { pure: true, uses: [] },
    storage: { pure: true, uses: ["core"] },
    platform: { pure: false, uses: ["core"] },
  }),
  "src/core/tsconfig.json": layer([], []),
  "src/storage/tsconfig.json": layer([], ["../core"]),
  "src/platform/tsconfig.json": layer(["node"], ["../core"]),
  "src/core/ids.ts": "/** Names of things. */\nexport const one = 1;\n",
};

export class Fixture {
  readonly root: string;

  constructor(t: TestContext) {
    this.root = makeTempDir(t, "minikey-tools");
    for (const [path, text] of Object.entries(FILES)) this.write(path, text);
    copyFileSync(join(repositoryRoot, "tsconfig.base.json"), join(this.root, "tsconfig.base.json"));
    copyFileSync(join(repositoryRoot, ".oxlintrc.json"), join(this.root, ".oxlintrc.json"));
    symlinkSync(join(repositoryRoot, "node_modules"), join(this.root, "node_modules"));
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  /** Runs one of the repository's checks on this fixture. */
  check(name: "layers" | "tidy"): Outcome {
    return this.#run([join(repositoryRoot, `tools/checks/${name}.mjs`), this.root]);
  }

  /** Runs the repository's linter, with its rules, on this fixture. */
  lint(): Outcome {
    return this.#run([join(repositoryRoot, "node_modules/oxlint/bin/oxlint"), "--format=unix"]);
  }

  #run(args: string[]): Outcome {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: this.root,
      encoding: "utf8",
    });
    return { status, output: `${stdout}${stderr}` };
  }
}
