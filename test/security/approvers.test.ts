import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startTestServer, tokenLine } from "../support/test-server.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-approvers-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("approvers", () => {
  it("for whom there is no token are warned of: nobody would be asked", async () => {
    const tokens = join(folder, "tokens");
    await writeFile(tokens, tokenLine("a", "alice") + tokenLine("b", "bob"), { mode: 0o600 });
    const start = (approvers: string) =>
      startTestServer({
        BREAKGLASS_TOKENS_FILE: tokens,
        BREAKGLASS_APPROVERS: approvers,
        BREAKGLASS_SELF_APPROVAL: "forbidden",
      });
    const strangersIn = (log: readonly string[]) =>
      log.map((line) => JSON.parse(line)).flatMap(({ strangers }) => strangers ?? []);
    await using slip = await start("bbo,alice");
    expect(strangersIn(slip.log)).toEqual(["bbo"]);
    await using right = await start("bob,alice");
    expect(strangersIn(right.log)).toEqual([]);
  });
});
