import { TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { type JsonObject, printedChange, printedMessage, printedOutcome } from "./case-messages.ts";

/** What a driver has printed so far. */
export class DriverOutput {
  /** The events that the client delivered, as they are compared. */
  readonly events: JsonObject[] = [];
  /** The changes that it delivered, of a session or of turns. */
  readonly changes: JsonObject[] = [];
  /** How `run_turn` ended. */
  outcome: JsonObject | undefined;
  /** What a method that answers once answered. */
  answer: JsonObject | undefined;
  /** How it ended. */
  end: JsonObject | undefined;
  /** What the driver says that it cannot do. */
  unsupported: string | undefined;
  /** What is wrong with the output itself. */
  readonly problems: string[] = [];
  readonly #call: string;

  /** @param call - What the driver was told to call, as `watch_turns`. */
  constructor(call: string) {
    this.#call = call;
  }

  /** Takes a line. Answers what it brought: an event or a change. */
  take(line: string): JsonObject | undefined {
    if (this.end !== undefined) this.#blame(`printed behind its end: ${cut(line)}`);
    let printed: unknown;
    try {
      printed = JSON.parse(line);
    } catch {
      this.#blame(`printed what is no JSON: ${cut(line)}`);
      return undefined;
    }
    if (typeof printed !== "object" || printed === null) {
      this.#blame(`printed what is no object: ${cut(line)}`);
      return undefined;
    }
    const [[kind, value] = ["", undefined], ...more] = Object.entries(printed);
    if (more.length > 0) this.#blame(`printed a line with more than one member: ${cut(line)}`);
    return this.#takeMember(kind, value, line);
  }

  #takeMember(kind: string, value: unknown, line: string): JsonObject | undefined {
    try {
      switch (kind) {
        case "event":
          return added(this.events, printedMessage(TurnEventSchema, value));
        case "change":
          return added(this.changes, printedChange(this.#call, value));
        case "outcome":
          this.outcome = printedOutcome(value);
          return undefined;
        case "answer":
          this.answer = value as JsonObject;
          return undefined;
        case "end":
          this.end = value as JsonObject;
          return undefined;
        case "unsupported":
          this.unsupported = String(value);
          return undefined;
        default:
          this.#blame(`printed a line of a kind that there is not: ${cut(line)}`);
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#blame(`printed what is no message of proto3's JSON (${why}): ${cut(line)}`);
    }
    return undefined;
  }

  #blame(problem: string): void {
    // The first say it all, and a driver may print for ever.
    if (this.problems.length < 3) this.problems.push(`the driver ${problem}`);
  }
}

function added(list: JsonObject[], one: JsonObject): JsonObject {
  list.push(one);
  return one;
}

function cut(line: string): string {
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
