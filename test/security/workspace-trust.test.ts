import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { valuesOf } from "../support/events.ts";
import { marksOf, PLANTS } from "./planted.ts";
import { askedOf, startPlanted, VERSIONS, type Version } from "./planted-cli.ts";

const { ASK } = PermissionMode;

// The least that has to be seen with every change. That all of it does run where the workspace is trusted, and the rest of
// what the mode ASK promises of the real CLI, is in test/e2e/live-trust.test.ts: each of its processes takes a second of
// both cores.

describe.each(Object.keys(VERSIONS) as Version[])("a turn in the mode ASK of %s", (version) => {
  it("runs nothing unasked that lies in its workspace, its repository or the configuration", async () => {
    await using planted = await startPlanted(version);
    await planted.atRest();
    for (const { plant } of Object.values(PLANTS)) plant(planted.ground);
    const events = await planted.run({ prompt: "repair", permissionMode: ASK });
    expect(marksOf(planted.ground)).toEqual([]);
    expect(askedOf(events)).toEqual(["git diff; git status", "touch repaired"]);
    expect(existsSync(join(planted.ground.workspace, "repaired"))).toBe(false);
    expect(valuesOf(events, "result")).toMatchObject([{ result: "Done." }]);
    expect(existsSync(join(planted.ground.configDir, "remote-settings.json"))).toBe(false);
  });
});
