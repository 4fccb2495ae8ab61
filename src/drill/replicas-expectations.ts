import { toBinary } from "@bufbuild/protobuf";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { REPAIRED_LINE } from "./scenario.ts";

/** A turn as a client saw it. */
export interface SeenTurn {
  readonly prompt: string;
  readonly turnId: string;
  /** Those that are on record, in the order in which they came. */
  readonly events: readonly TurnEvent[];
}

/** What a drill of several servers has brought about. */
export interface ReplicasRehearsal {
  /** What only the machine knew. */
  readonly serial: string;
  /** The configuration after the repair. */
  readonly config: string;
  readonly found: SeenTurn;
  /** The turn whose server was killed. */
  readonly lost: SeenTurn;
  /** The turn after it, on another server. */
  readonly wentOn: SeenTurn;
}

/** Names what did not come; empty where the drill succeeded. */
export function missingOfReplicas(rehearsal: ReplicasRehearsal): string[] {
  const { serial, config, found, lost, wentOn } = rehearsal;
  const expectations: readonly [what: string, met: boolean][] = [
    ["the first turn's result", succeeded(found)],
    [
      "a tool result with what only this machine knows",
      found.events.some(
        ({ kind }) => kind.case === "toolResult" && kind.value.content.includes(serial),
      ),
    ],
    ["the end of the turn whose replica was killed", lost.events.at(-1)?.kind.case === "error"],
    ["a notice that the session has moved", wentOn.events[0]?.kind.case === "notice"],
    [
      "a turn elsewhere that goes on with the conversation",
      wentOn.events.some(({ kind }) => kind.case === "session" && kind.value.resumed),
    ],
    [
      "a turn elsewhere that remembers the first",
      wentOn.events.some(({ kind }) => kind.case === "text" && kind.value.text.includes(serial)),
    ],
    ["the result of the turn elsewhere", succeeded(wentOn)],
    ["the repaired file on disk", config.split("\n").includes(REPAIRED_LINE)],
    ["sequences without gaps", [found, lost, wentOn].every(isGapless)],
  ];
  return expectations.filter(([, met]) => !met).map(([what]) => what);
}

/** What differs where turns were read again, each in words. */
export function compared(seen: readonly SeenTurn[], again: readonly SeenTurn[]): string[] {
  return seen.flatMap(({ prompt, events }, index) => {
    const others = again[index]?.events ?? [];
    const different = events.filter((event) => {
      const other = others.find(({ sequence }) => sequence === event.sequence);
      return other === undefined || !isSame(event, other);
    });
    const many = others.length - events.length;
    const problems = different.map(
      ({ sequence }) => `event ${sequence} of “${prompt}” is lost or another`,
    );
    return many > 0 ? [...problems, `${many} more events of “${prompt}” than were seen`] : problems;
  });
}

function isSame(one: TurnEvent, other: TurnEvent): boolean {
  return Buffer.compare(toBinary(TurnEventSchema, one), toBinary(TurnEventSchema, other)) === 0;
}

function succeeded({ events }: SeenTurn): boolean {
  const last = events.at(-1)?.kind;
  return last?.case === "result" && !last.value.isError;
}

function isGapless({ events }: SeenTurn): boolean {
  return events.every(({ sequence }, index) => sequence === index + 1);
}
