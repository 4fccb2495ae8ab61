import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { BreakglassClient } from "#client";
import type { Turn } from "../../gen/breakglass/v1/turn_pb.ts";
import { callServer } from "./call-server.ts";
import { dollars } from "./event-text.ts";
import { ExitStatus } from "./exit-status.ts";
import type { ListOptions } from "./sessions.ts";
import { spendingJson, spendingLines } from "./spending-text.ts";
import type { Terminal } from "./terminal.ts";
import { joined, oneLine, type Printable, print, terminalJson } from "./terminal-text.ts";
import { isTime } from "./time-text.ts";
import { turnsOf } from "./turn-list.ts";

/** What turns are put together by. */
export const COST_GROUPS = ["day", "session", "principal"] as const;

/** What `costs` takes. */
export interface CostsOptions extends ListOptions {
  readonly by?: (typeof COST_GROUPS)[number];
  /** Milliseconds since the epoch. */
  readonly since?: number;
}

/** What turns of one group cost together. */
interface Cost {
  turns: number;
  inputTokens: bigint;
  outputTokens: bigint;
  usd: number;
}

const NAME_CHARACTERS = 100;

/**
 * Prints what the turns on record that the caller may see cost together, by day (UTC), session or principal, and in all; and
 * what is left to the caller, where that is limited.
 */
export async function costs(options: CostsOptions): Promise<ExitStatus> {
  const by = options.by ?? "day";
  return callServer(options, async (client, terminal) => {
    const groups = new Map<string, Cost>();
    const total = noCost();
    for await (const turn of turnsOf(
      client,
      options.since === undefined ? {} : { since: options.since },
    )) {
      const name = groupOf(turn, by);
      const cost = groups.get(name) ?? noCost();
      groups.set(name, cost);
      for (const each of [cost, total]) add(each, turn);
    }
    if (total.turns === 0 && !options.json) terminal.tell(print`No turns, no costs.`);
    const byDay = by === "day";
    const sorted = [...groups].toSorted(([one, { usd }], [other, { usd: more }]) =>
      byDay ? (one < other ? 1 : -1) : more - usd,
    );
    for (const [name, cost] of sorted) {
      await terminal.write(options.json ? costJson(by, name, cost) : costLine(name, cost));
    }
    if (groups.size > 1 && !options.json) await terminal.write(costLine("in all", total));
    await tellLimits(client, terminal, options.json === true);
    return ExitStatus.ok;
  });
}

/** What is left of the day, and what a turn may use. A server that does not tell has no such limits. */
async function tellLimits(
  client: BreakglassClient,
  terminal: Terminal,
  isJson: boolean,
): Promise<void> {
  const { spending } = await client.getSpending({}).catch(() => ({ spending: undefined }));
  if (spending === undefined) return;
  const json = spendingJson(spending);
  if (isJson && json !== undefined) await terminal.write(print`${terminalJson(json)}\n`);
  if (!isJson) for (const line of spendingLines(spending)) await terminal.write(line);
}

function noCost(): Cost {
  return { turns: 0, inputTokens: 0n, outputTokens: 0n, usd: 0 };
}

function add(cost: Cost, { usage, totalCostUsd }: Turn): void {
  cost.turns++;
  cost.usd += totalCostUsd;
  if (usage === undefined) return;
  const { inputTokens, cacheReadInputTokens, cacheCreationInputTokens, outputTokens } = usage;
  cost.inputTokens += inputTokens + cacheReadInputTokens + cacheCreationInputTokens;
  cost.outputTokens += outputTokens;
}

function groupOf(turn: Turn, by: (typeof COST_GROUPS)[number]): string {
  switch (by) {
    case "session":
      return turn.sessionId;
    case "principal":
      return turn.principal;
    default: {
      const { createTime } = turn;
      if (createTime === undefined || !isTime(createTime)) return "unknown";
      return timestampDate(createTime).toISOString().slice(0, 10);
    }
  }
}

function costLine(name: string, { turns, inputTokens, outputTokens, usd }: Cost): Printable {
  const columns = [
    oneLine(name, NAME_CHARACTERS),
    dollars(usd),
    turns === 1 ? print`1 turn` : print`${turns} turns`,
    print`${inputTokens} tokens in`,
    print`${outputTokens} out`,
  ];
  return print`${joined(columns, "  ")}\n`;
}

function costJson(by: string, name: string, cost: Cost): Printable {
  const { turns, inputTokens, outputTokens, usd } = cost;
  const tokens = { inputTokens: String(inputTokens), outputTokens: String(outputTokens) };
  return print`${terminalJson(JSON.stringify({ [by]: name, turns, ...tokens, totalCostUsd: usd }))}\n`;
}
