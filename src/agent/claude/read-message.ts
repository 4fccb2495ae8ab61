import type { z } from "zod";
import type { EventKind } from "../agent.ts";
import type { Message } from "./line.ts";
import { malformedPart } from "./malformed.ts";

/** A message as its schema has it. Undefined, having appended a notice, where it does not fit. */
export function readMessage<S extends z.ZodType>(
  schema: S,
  message: Message,
  into: EventKind[],
): z.output<S> | undefined {
  const { data, error } = schema.safeParse(message);
  if (error === undefined) return data;
  const kind = typeof message.subtype === "string" ? message.subtype : message.type;
  into.push(malformedPart(`${kind} message`, error));
  return undefined;
}
