#!/usr/bin/env node
import { text } from "node:stream/consumers";
import { runDriver } from "./typescript-case.ts";

// What `breakglass conformance` runs the TypeScript client by: docs/conformance.md.
await runDriver(JSON.parse(await text(process.stdin)));
