import { describe } from "vitest";
import type { AgentUnderTest } from "./agent-under-test.ts";
import { describeApprovals } from "./contract/approvals.ts";
import { describeConversations } from "./contract/conversations.ts";
import { describeProcesses } from "./contract/processes.ts";
import { describeRuns } from "./contract/runs.ts";

/**
 * What turns rely on, whichever agent does them. Its program plays prompts, a step a line: "say TEXT", "ask NAME JSON",
 * "hang", "ignore" (nothing that asks or tells it to end is heeded any more), "exit STATUS".
 *
 * @param open - Makes an adapter that has started nothing.
 */
export function describeAgent(open: () => Promise<AgentUnderTest>): void {
  describe("a run", () => describeRuns(open));
  describe("an approval", () => describeApprovals(open));
  describe("a conversation", () => describeConversations(open));
  describe("its processes", () => describeProcesses(open));
}
