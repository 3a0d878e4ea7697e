/**
 * Stops with one clear sentence on a Node.js that is too old. Imported first by every tool, and written so
 * that even a very old Node.js can read it: modules are evaluated in the order of their imports.
 */
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    "MinikeyDB needs Node.js 20.19 or later; this is " +
      process.versions.node +
      " (" +
      process.execPath +
      ").",
  );
  process.exit(1);
}
