#!/usr/bin/env node
import { text } from "node:stream/consumers";
import { BREAKAGES } from "./breakages.ts";
import { runDriver } from "./typescript-case.ts";

// A client that is broken on purpose, in the way that the argument names.
const breakage = BREAKAGES[process.argv[2] ?? ""];
if (breakage === undefined) throw new Error("which breakage?");
await runDriver(JSON.parse(await text(process.stdin)), breakage);
