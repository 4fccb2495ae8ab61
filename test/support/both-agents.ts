import { type AgentPlan, planAgents } from "../../src/server/served-agents.ts";
import { LineAgent } from "../agent/line/line-agent.ts";

/** Claude by default, and the kind `line`, which can do little. */
export const bothAgents: typeof planAgents = (config, log): AgentPlan => {
  const usual = planAgents(config, log);
  const { environment, agentEnv: passedNames } = config;
  return (processes) => {
    const served = usual(processes);
    const line = new LineAgent({ processes, environment, passedNames });
    return { ...served, byKind: new Map([...served.byKind, ["line", line]]) };
  };
};
