import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DescEnum } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  ErrorReasonSchema,
  NoticeReasonSchema,
  TurnEventSchema,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { ExitStatus } from "../../src/commands/exit-status.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { pages, REPOSITORY, samples } from "./pages.ts";

const textOf = (path: string) => pages().find((page) => page.path === path)!.text;

/** The values of an enum as they are spoken of: without the prefix, and without the one that is never sent. */
const spokenValues = ({ values, sharedPrefix = "" }: DescEnum) =>
  values.slice(1).map(({ name }) => name.slice(sharedPrefix.length));

describe("README.md", () => {
  it("shows the version of the CLI that is installed, as docs/getting-started.md does", () => {
    const manifest = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));
    const pinned = manifest.dependencies["@anthropic-ai/claude-code"];
    const shown = textOf("README.md").match(/(?<=version )\d+\.\d+\.\d+/g);
    expect(new Set(shown)).toEqual(new Set([pinned]));
    expect(textOf("docs/getting-started.md")).toContain(`CLI (${pinned})`);
  });

  it("gives commands that the check of each change runs", () => {
    const check = readFileSync(join(REPOSITORY, ".ci/run"), "utf8").split("\n");
    const [first = ""] = pages()
      .filter(({ path }) => path === "README.md")
      .flatMap((page) => samples(page, "sh").map(({ code }) => code));
    const commands = first.split(/\n|&&|#.*$/m).map((command) => command.trim());
    const given = commands.filter((command) => command !== "");
    expect(given).toContain("npm run drill");
    expect(given.filter((command) => !check.includes(command))).toEqual([]);
  });
});

describe("docs/api.md", () => {
  const api = textOf("docs/api.md");

  it.each([
    ["method", BreakglassService.methods.map(({ name }) => name)],
    ["kind of event", TurnEventSchema.oneofs[0]!.fields.map(({ name }) => name)],
    ["state of a turn", spokenValues(TurnStateSchema)],
    ["reason of an error", spokenValues(ErrorReasonSchema)],
    ["reason of a notice", spokenValues(NoticeReasonSchema)],
    ["reason of a refusal", refusalReasons()],
  ])("tells of every %s", (_what, names) => {
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !api.includes(`\`${name}\``))).toEqual([]);
  });
});

/** They are a type, which is gone when the code runs. */
function refusalReasons(): string[] {
  const source = readFileSync(join(REPOSITORY, "clients/typescript/src/error-info.ts"), "utf8");
  return [...source.matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(([, reason = ""]) => reason);
}

describe("docs/commands.md", () => {
  const commands = textOf("docs/commands.md");
  const help = (...args: string[]) =>
    execFileSync(process.execPath, [...NODE_FLAGS, "src/main.ts", ...args, "--help"], {
      cwd: REPOSITORY,
      encoding: "utf8",
    });
  const names = [...help().matchAll(/^ {2}([a-z]+) /gm)].map(([, name = ""]) => name);
  const own = names.filter((name) => name !== "help");

  it("tells of every command", () => {
    expect(own.length).toBeGreaterThan(10);
    expect(own.filter((name) => !commands.includes(`| \`${name}`))).toEqual([]);
  });

  it.each(own)("tells of every option of %s", (name) => {
    const options = [...help(name).matchAll(/^ +(?:-h, )?(--[a-z-]+)/gm)].map(
      ([, option = ""]) => option,
    );
    expect(options).toContain("--help");
    expect(options.filter((option) => !commands.includes(option))).toEqual([]);
  });

  it("tells of every exit status", () => {
    const statuses = Object.values(ExitStatus).map(String);
    expect(statuses.filter((status) => !commands.includes(`\n| ${status} | `))).toEqual([]);
  });
});
