/**
 * The replica in the benchmark of forwarding: all turns are at home elsewhere. Takes the service's own variables; the home's
 * address is its argument. Prints where it listens.
 */
import { readServeConfig } from "../../src/config/serve-config.ts";
import { createLog } from "../../src/log.ts";
import { startServer } from "../../src/server/server.ts";

const [address = ""] = process.argv.slice(2);
const home = { owner: "home", address, isPresent: true };
const server = await startServer(
  readServeConfig(),
  createLog(() => {}),
  undefined,
  undefined,
  {
    listener: (answer) => answer,
    admissions: (admissionOf) => admissionOf,
    trustsEveryone: true,
    homes: {
      owner: "first",
      runsHere: () => false,
      homeOfSession: async () => home,
      homeOfTurn: async () => home,
    },
  },
);
process.stdout.write(`${server.url}\n`);
