import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, symlink, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { callerNamed, nameOf } from "../support/caller.ts";
import { eventually } from "../support/processes.ts";
import { type DrivenTurns, PRINCIPAL, result, startDrivenTurns } from "./driven-turns.ts";

/** Has what a session left not be removed. Answers what has it be removed again. */
type Hinder = (driven: DrivenTurns, workspace: string) => Promise<() => Promise<void>>;

const hinderedConversations: Hinder = async ({ agent }) => {
  agent.forgetting = async () => {
    throw new Error("the agent does not forget");
  };
  return async () => {
    agent.forgetting = async () => {};
  };
};

/** Whoever looks for the workspace goes round in a circle. */
const hinderedWorkspace: Hinder = async (_driven, workspace) => {
  const sessions = dirname(workspace);
  await rename(sessions, `${sessions}.away`);
  await symlink(sessions, sessions);
  return async () => {
    await unlink(sessions);
    await rename(`${sessions}.away`, sessions);
  };
};

/** What the log says of a removal that has left something. */
const LEFT = { level: "error", message: "a removed session left files behind" };

describe("a removed session", () => {
  it.each([
    ["conversations", hinderedConversations],
    ["workspace", hinderedWorkspace],
  ])(
    "whose %s cannot be removed is told of, and tried again until they are",
    async (_what, hinder) => {
      const log: Record<string, unknown>[] = [];
      await using driven = await startDrivenTurns({
        log: createLog((line) => log.push(JSON.parse(line))),
      });
      const { turns, store } = driven;
      const sessionId = randomUUID();
      const { turnId, run } = await driven.begin({ sessionId });
      run.give([result()]);
      run.leave();
      await driven.ended(turnId);
      const { workspace } = await turns.getSession(
        nameOf(PRINCIPAL, sessionId),
        callerNamed(PRINCIPAL),
      );
      expect(existsSync(workspace)).toBe(true);
      const letGo = await hinder(driven, workspace);
      expect(await turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL))).toBe(
        false,
      );
      const { owner } = store.asStore.lease;
      const listed = async () =>
        (await store.asStore.listRemovals(owner)).map((one) => one.workspace);
      expect(await listed()).toEqual([workspace]);
      const told = await eventually(
        () => log.filter(({ message }) => message === LEFT.message),
        (lines) => lines.length >= 2,
      );
      const line = expect.objectContaining({ ...LEFT, workspace });
      expect(told.slice(0, 2)).toEqual([line, line]);
      await letGo();
      expect(await eventually(listed, (left) => left.length === 0)).toEqual([]);
      expect(existsSync(workspace)).toBe(false);
    },
  );
});
