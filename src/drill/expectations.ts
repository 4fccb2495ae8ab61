import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { REPAIRED_LINE } from "./scenario.ts";

/** What a drill has brought about. */
export interface Rehearsal {
  /** What only the machine knew. */
  readonly serial: string;
  /** The configuration after the repair. */
  readonly config: string;
  /** The events of the repair. */
  readonly repair: readonly TurnEvent[];
  /** The events of the turn after it, in the same session. */
  readonly recall: readonly TurnEvent[];
}

/** Names what did not come; empty where the drill succeeded. */
export function missing({ serial, config, repair, recall }: Rehearsal): string[] {
  const expectations: readonly [what: string, met: boolean][] = [
    ["a session event", of(repair, "session").length === 1],
    ["text", of(repair, "text").some(({ text }) => text !== "")],
    ["a Bash tool call", of(repair, "tool").some(({ name }) => name === "Bash")],
    [
      "a tool result with what only this machine knows",
      of(repair, "toolResult").some(({ isError, content }) => !isError && content.includes(serial)),
    ],
    ["the repaired file on disk", config.split("\n").includes(REPAIRED_LINE)],
    ["a result without an error", of(repair, "result").some(({ isError }) => !isError)],
    ["sequences without gaps", gapless(repair) && gapless(recall)],
    ["a second turn that resumed the session", of(recall, "session").some((s) => s.resumed)],
    [
      "a second turn that remembered the first",
      of(recall, "text").some(({ text }) => text.includes(serial)),
    ],
    ["the second turn's result", of(recall, "result").some(({ isError }) => !isError)],
  ];
  return expectations.filter(([, met]) => !met).map(([what]) => what);
}

type Kind = Exclude<TurnEvent["kind"], { case: undefined }>;

function of<C extends Kind["case"]>(events: readonly TurnEvent[], kindCase: C) {
  type Value = Extract<Kind, { case: C }>["value"];
  return events.flatMap(({ kind }) => (kind.case === kindCase ? [kind.value as Value] : []));
}

function gapless(events: readonly TurnEvent[]): boolean {
  const durable = events.map(({ sequence }) => sequence).filter((sequence) => sequence > 0);
  return durable.every((sequence, index) => sequence === index + 1);
}
