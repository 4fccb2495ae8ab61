import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "../commands/run-command.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import {
  type Answer,
  endless,
  reset,
  silent,
  status,
  WebhookReceiver,
} from "./webhook-receiver.ts";

let folder: string;
let receiver: WebhookReceiver;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-notify-test-"));
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function notifyTest(more: Readonly<Record<string, string>> = {}) {
  const settings = await receiver.settings(folder);
  await using environment = await createTestEnvironment({ ...settings, ...more });
  return runCommand(["notify", "test"], { environment: environment.variables });
}

describe("notify test", () => {
  it("sends one signed message, and says what came of it and how it was signed", async () => {
    const { status: exit, stdout, stderr } = await notifyTest();
    expect({ exit, stderr, refused: receiver.refused }).toEqual({
      exit: 0,
      stderr: "",
      refused: [],
    });
    expect(receiver.received).toHaveLength(1);
    const { id, timestamp, message, path } = receiver.received[0]!;
    expect(path).toBe("/hooks?from=breakglass");
    expect(message).toEqual({
      type: "notification.test",
      timestamp: expect.stringMatching(/^20.*Z$/),
      data: { title: expect.any(String) },
    });
    expect(id).toMatch(/^msg_test_[0-9a-f-]{36}$/);
    expect(stdout.split("\n")).toEqual([
      expect.stringMatching(/^taken: 204, after \d+ ms, by http:\/\/127\.0\.0\.1:\d+$/),
      `signed: webhook-id ${id}, webhook-timestamp ${timestamp}, v1 (HMAC-SHA256) by one secret`,
      "",
    ]);
    expect(stdout).not.toContain(receiver.secret);
  });

  it.each<[string, Answer, RegExp]>([
    ["refuses it", status(500), /^not taken: 500, after/],
    ["leads elsewhere", status(302, { location: "/" }), /^not taken: 302: redirects are not/],
    ["wants no more", status(410), /^not taken: 410, so that a server would send nothing more/],
    ["resets the connection", reset, /^not taken: ECONNRESET, after/],
    ["says nothing", silent, /^not taken: no answer within 1 s, after/],
  ])("says why a receiver that %s has not taken it, and tries once", async (_how, answer, said) => {
    receiver.answer = answer;
    const { status: exit, stdout } = await notifyTest({ BREAKGLASS_NOTIFY_TIMEOUT_SECONDS: "1" });
    expect(stdout).toMatch(said);
    expect(exit).toBe(3);
    expect(receiver.received).toHaveLength(1);
  });

  it("ends where the receiver's answer does not", async () => {
    receiver.answer = endless(200);
    expect((await notifyTest()).status).toBe(0);
  });

  it("says that nobody is there, without the URL's password", async () => {
    const url = "http://user:word@127.0.0.1:1/hooks";
    const { status: exit, stdout, stderr } = await notifyTest({ BREAKGLASS_NOTIFY_URL: url });
    expect(stdout).toMatch(/^not taken: ECONNREFUSED, after \d+ ms, by http:\/\/127\.0\.0\.1:1\n/);
    expect(stdout + stderr).not.toContain("word");
    expect(exit).toBe(3);
  });

  it.each<[string, Record<string, string>, string]>([
    ["a receiver", { BREAKGLASS_NOTIFY_URL: "" }, "BREAKGLASS_NOTIFY_URL is not set"],
    [
      "a secret",
      { BREAKGLASS_NOTIFY_SECRET_FILE: "" },
      "BREAKGLASS_NOTIFY_SECRET_FILE is not: name the file",
    ],
    [
      "a secret that can be read",
      { BREAKGLASS_NOTIFY_SECRET_FILE: "/nowhere" },
      'BREAKGLASS_NOTIFY_SECRET_FILE is "/nowhere"',
    ],
  ])("without %s names what to mend, and sends nothing", async (_what, more, said) => {
    const { status: exit, stdout, stderr } = await notifyTest(more);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(said);
    expect(receiver.received).toEqual([]);
  });
});
