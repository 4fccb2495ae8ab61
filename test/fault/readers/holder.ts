import { eventually } from "../../support/processes.ts";
import { type ClientProcess, startClients } from "./client-process.ts";
import type { HeldStreams, HoldPlan, HoldQuestion } from "./held-streams.ts";

const ANSWER_MS = 30_000;
const OPEN_MS = 120_000;

/** Streams in a process of their own. They have ended when its scope has. */
export interface Holder extends ClientProcess<HoldQuestion, HeldStreams> {
  /** How they are. */
  look(): Promise<HeldStreams>;
  /** Cuts every connection. */
  cut(how: Exclude<HoldQuestion, "look">): Promise<HeldStreams>;
}

/**
 * Opens streams and waits until every one has begun. Those that are refused because there are too many are asked for again
 * until there is a place: that all begin proves that so many places were free, or became so.
 *
 * @param options.mayEnd - The server may end those that have begun while others are opened.
 * @throws Error where they do not begin within `withinMs`, or end at once.
 */
export async function holdStreams(
  plan: HoldPlan,
  { withinMs = OPEN_MS, mayEnd = false } = {},
): Promise<Holder> {
  const process = startClients<HoldQuestion, HeldStreams>("held-streams.ts", plan);
  const holder: Holder = {
    ...process,
    look: () => process.ask("look", ANSWER_MS),
    cut: (how) => process.ask(how, ANSWER_MS),
  };
  const { streams } = plan;
  const isSo = ({ begun, over }: HeldStreams) => begun === streams || (over > 0 && !mayEnd);
  const { begun, over, endings } = await eventually(holder.look, isSo, withinMs);
  if (begun === streams && (over === 0 || mayEnd)) return holder;
  await holder.kill();
  throw new Error(
    `${begun} of ${streams} streams began, and ${over} ended: ${JSON.stringify(endings)}`,
  );
}
