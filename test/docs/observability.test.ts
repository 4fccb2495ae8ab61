import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import * as names from "../../src/telemetry/gen-ai.ts";
import { startTestServer } from "../support/test-server.ts";
import { scrape } from "../telemetry/scrape.ts";
import { pages, REPOSITORY } from "./pages.ts";

const page = pages().find(({ path }) => path === "docs/observability.md")!.text;

/** The rows of the table under that heading. */
function rowsUnder(head: string): string[] {
  const [, rest = ""] = page.split(`${head}\n`);
  return rest.split("\n\n", 1)[0]!.trim().split("\n").slice(1);
}

describe("docs/observability.md", () => {
  it("tells of every metric of a real server, as it is served", async () => {
    // Nobody listens there: its spans are told of all the same.
    await using server = await startTestServer({ BREAKGLASS_OTLP_URL: "http://127.0.0.1:9" });
    const { body } = await scrape(server.url);
    const types = new Map(
      Array.from(body.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name, type]) => [name!, type!]),
    );
    const helps = Array.from(body.matchAll(/^# HELP (\S+) (.+)$/gm));
    const rows = helps.map(([, name, help]) => `| \`${name}\` | ${types.get(name!)} | ${help} |`);
    expect(rowsUnder("| metric | type | what it is |")).toEqual(rows);
  });

  it("tells of every alert", () => {
    const { groups } = parse(
      readFileSync(join(REPOSITORY, "deploy/prometheus-rules.yml"), "utf8"),
    ) as { groups: { rules: { alert: string }[] }[] };
    const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    const told = rowsUnder("| alert | what it says |").map((row) => /`(\w+)`/.exec(row)?.[1]);
    expect(told).toEqual(alerts);
  });

  it("tells of every attribute of spans", () => {
    const all = Object.values(names).filter((name) => typeof name === "string");
    expect(all.length).toBeGreaterThan(10);
    expect(all.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
