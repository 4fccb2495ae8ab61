import { describe, expect, it } from "vitest";
import { openApiDocument } from "../../src/http/openapi.ts";
import { script } from "../support/gate.ts";
import { startTestServer } from "../support/test-server.ts";
import { ask, runPlain } from "./support.ts";

interface ObjectSchema {
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, { const?: string; type?: string }>>;
}

interface Described {
  readonly openapi: string;
  readonly components: { readonly schemas: Readonly<Record<string, ObjectSchema>> };
}

const described = openApiDocument() as unknown as Described;
const schemaOf = (kind: unknown) =>
  Object.values(described.components.schemas).find(
    ({ properties }) => properties?.kind?.const === kind,
  )!;

describe("/openapi.json", () => {
  it("is what the server answers", async () => {
    await using server = await startTestServer();
    const { headers, body } = await ask(`${server.url}/openapi.json`);
    expect(headers["content-type"]).toBe("application/json");
    expect(JSON.parse(body)).toEqual(JSON.parse(JSON.stringify(described)));
    expect(described.openapi).toMatch(/^3\.1\./);
    const head = await ask(`${server.url}/openapi.json`, { method: "HEAD" });
    expect([head.status, head.body]).toEqual([200, ""]);
    const posted = await ask(`${server.url}/openapi.json`, { body: "{}" });
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });

  it("describes every member of every line", async () => {
    await using server = await startTestServer();
    const lines = await runPlain(server.url, script("bash echo hi", "say hello"));
    const failed = await runPlain(server.url, "exit 3");
    for (const line of [...lines, ...failed]) {
      const { required, properties } = schemaOf(line.kind);
      const members = Object.keys(line);
      expect(members.filter((name) => properties[name] === undefined)).toEqual([]);
      expect(required.filter((name) => !members.includes(name))).toEqual([]);
      for (const [name, value] of Object.entries(line)) {
        const type = properties[name]?.type;
        if (type === "string" || type === "boolean") expect(typeof value).toBe(type);
        if (type === "integer") expect(Number.isInteger(value)).toBe(true);
      }
    }
  });
});
