// Says in words that Node is too old for the service: to whoever installs it, and to whoever starts it. What is here runs on any
// Node that npm runs on.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const manifest = new URL("../package.json", import.meta.url);
const { node: wanted } = JSON.parse(readFileSync(manifest, "utf8")).engines;

/** What is wrong with the Node that runs this; undefined: nothing. */
export const complaint = isAtLeast(process.versions.node, wanted.replace(">=", ""))
  ? undefined
  : `breakglass: it takes Node ${wanted}, and this is ${process.versions.node} (${process.execPath})`;

function isAtLeast(version, least) {
  const [major, minor] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = least.split(".").map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

const isRun = process.argv[1] === fileURLToPath(import.meta.url);
// A clone brings its own Node.
const isClone = existsSync(new URL("../src", import.meta.url));
if (isRun && !isClone && complaint !== undefined) {
  console.error(complaint);
  process.exitCode = 1;
}
