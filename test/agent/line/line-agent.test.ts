import { describe } from "vitest";
import { describeAgent } from "../agent-contract.ts";
import { openAgent } from "../agent-under-test.ts";
import { LineAgent } from "./line-agent.ts";

describe("an agent that can do little", () => {
  describeAgent(() =>
    openAgent(
      (processes, environment, marker) =>
        new LineAgent({ processes, environment, passedNames: [marker] }),
    ),
  );
});
