import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { ALL_SETTINGS } from "../../src/config/settings/sections.ts";
import { REPOSITORY } from "../docs/pages.ts";

const UNIT = join(REPOSITORY, "deploy/breakglass.service");
const lines = readFileSync(UNIT, "utf8").split("\n");
const isThere = spawnSync("systemd-analyze", ["--version"]).status === 0;
const lack = isThere ? "" : " (left out: no systemd-analyze here; apt-get install systemd)";

describe("the unit for systemd", () => {
  it.skipIf(!isThere)(`is one that systemd takes without a word${lack}`, () => {
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", UNIT], {
      encoding: "utf8",
      env: { PATH: process.env.PATH },
    });
    // Of other units of the machine it may have something to say.
    const own = (stdout + stderr).split("\n").filter((line) => line.includes("breakglass"));
    expect({ status, own }).toEqual({ status: 0, own: [] });
  });

  it.skipIf(!isThere)(`is as closed as its documentation says${lack}`, () => {
    const args = ["security", "--offline=true", "--no-pager", UNIT];
    const { stdout } = spawnSync("systemd-analyze", args, {
      encoding: "utf8",
      env: { PATH: process.env.PATH },
    });
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    expect(exposure).toBeLessThanOrEqual(4);
    const page = readFileSync(join(REPOSITORY, "docs/operations.md"), "utf8");
    const said = Number(/gives the unit ([\d.]+) \(0 is closed/.exec(page)?.[1]);
    // Other versions of systemd weigh a little differently.
    expect(Math.abs(said - exposure)).toBeLessThanOrEqual(0.5);
  });

  it.each([
    "Type=notify",
    "WatchdogSec=",
    "User=",
    "StateDirectory=",
    "LoadCredential=",
    "Restart=",
    "Delegate=",
    "ExecReload=",
    "WantedBy=",
  ])("says %s", (key) => expect(lines.filter((line) => line.startsWith(key))).toHaveLength(1));

  it("ends a server with others, and its agents, before its lease is over, where it does not answer", () => {
    const dropIn = readFileSync(`${UNIT}.d/replicas.conf`, "utf8");
    const [watchdog, abort] = ["WatchdogSec", "TimeoutAbortSec"].map((key) =>
      Number(new RegExp(`^${key}=(\\d+)$`, "m").exec(dropIn)?.[1]),
    );
    expect(watchdog! + abort!).toBeLessThan(readServeConfig({ HOME: "/" }).leaseMs / 1000);
  });

  it("sets only what is a setting", () => {
    const set = lines.flatMap((line) => /^Environment=(BREAKGLASS_[A-Z_]+)=/.exec(line)?.[1] ?? []);
    const known: string[] = ALL_SETTINGS.map(({ variable }) => variable);
    expect(set.length).toBeGreaterThan(1);
    expect(set.filter((variable) => !known.includes(variable))).toEqual([]);
  });
});
