import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { REPOSITORY } from "../docs/pages.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { scrape } from "../telemetry/scrape.ts";

const RULES = join(REPOSITORY, "deploy/prometheus-rules.yml");
const RULES_TEST = join(REPOSITORY, "test/deploy/prometheus-rules.test.yml");
const isThere = spawnSync("promtool", ["--version"]).status === 0;
const lack = isThere ? "" : " (left out: no promtool here; apt-get install prometheus)";

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly targets?: readonly { readonly expr: string }[];
}

const { groups } = parse(readFileSync(RULES, "utf8")) as {
  groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(
  readFileSync(join(REPOSITORY, "deploy/grafana-dashboard.json"), "utf8"),
) as { readonly panels: readonly Panel[] };
const { panels } = dashboard;

describe("the rules for Prometheus", () => {
  it.skipIf(!isThere).each([
    ["check", ["check", "rules", "--lint-fatal", RULES]],
    ["their test", ["test", "rules", RULES_TEST]],
  ])(`pass promtool's %s${lack}`, (_what, args) => {
    const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
    expect({ status, told: status === 0 ? "" : stdout + stderr }).toEqual({ status: 0, told: "" });
  });

  it("each fire in their test", () => {
    const test = readFileSync(RULES_TEST, "utf8");
    const untested = rules.filter(({ alert }) => !test.includes(`alertname="${alert}"`));
    expect(untested).toEqual([]);
  });
});

describe("the dashboard", () => {
  it("has each panel once, none over another", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describe("every metric", () => {
  let server: TestServer;
  let served: ReadonlySet<string>;
  beforeAll(async () => {
    // Nobody listens there: its spans are told of all the same.
    server = await startTestServer({ BREAKGLASS_OTLP_URL: "http://127.0.0.1:9" });
    const { body } = await scrape(server.url);
    served = new Set(Array.from(body.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name!));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const expressions: readonly (readonly [string, string])[] = [
    ...rules.map(({ alert, expr }) => [alert, expr] as const),
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => [title, expr] as const),
    ),
  ];
  it.each(expressions)("that is asked for is one of a server's: %s", (_title, expr) => {
    const names = [...expr.matchAll(/\b(?:breakglass|process|nodejs)_[a-z_]+/g)].map(([name]) =>
      name.replace(/_(bucket|sum|count)$/, ""),
    );
    expect(names.filter((name) => !served.has(name))).toEqual([]);
    expect(names.length > 0 || /\bup\{/.test(expr)).toBe(true);
  });

  it("of a server's own is shown", () => {
    const all = expressions.map(([, expr]) => expr).join("\n");
    const own = [...served].filter((name) => name.startsWith("breakglass_"));
    expect(own.filter((name) => !all.includes(name))).toEqual([]);
  });

  it.skipIf(!isThere)(`is asked for in words that Prometheus takes${lack}`, () => {
    const asked = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const records = asked.map((expr, n) => {
      const plain = expr.replaceAll("$__rate_interval", "5m").replaceAll("$", "");
      return { record: `panel:number_${n}`, expr: plain };
    });
    const path = join(mkdtempSync(join(tmpdir(), "breakglass-dashboard-")), "rules.json");
    writeFileSync(path, JSON.stringify({ groups: [{ name: "dashboard", rules: records }] }));
    const args = ["check", "rules", path];
    const { status, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
    rmSync(dirname(path), { recursive: true });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});
