import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SOURCE_PROGRAM } from "../support/program.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const HOOK = fileURLToPath(new URL("told-modules.ts", import.meta.url));
const OTLP = { BREAKGLASS_OTLP_URL: "http://127.0.0.1:9" };

/** Which of the libraries a server loads with those settings. */
async function librariesOf(settings: Readonly<Record<string, string>>): Promise<string[]> {
  await using environment = await createTestEnvironment(settings);
  const told = join(environment.root, "modules");
  const variables = { ...environment.variables, TOLD_MODULES: told };
  const server = ["--import", HOOK, SOURCE_PROGRAM, "serve"];
  await using process = await startServeProcess(variables, [], server);
  await process.end("SIGTERM");
  const text = readFileSync(told, "utf8");
  return ["pino", "prom-client", "@opentelemetry/sdk-trace"].filter((name) =>
    text.includes(`/node_modules/${name}/`),
  );
}

describe("a server loads", () => {
  it.each<[string, Readonly<Record<string, string>>, string[]]>([
    ["no tracer as it is shipped", {}, ["pino", "prom-client"]],
    ["no metrics where it keeps none", { BREAKGLASS_METRICS: "off" }, ["pino"]],
    ["a tracer where it sends traces", OTLP, ["pino", "prom-client", "@opentelemetry/sdk-trace"]],
  ])("%s", async (_what, settings, libraries) => {
    expect(await librariesOf(settings)).toEqual(libraries);
  });
});
