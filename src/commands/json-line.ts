import { clone, type DescMessage, type MessageShape, toJsonString } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Printable, print, terminalJson } from "./terminal-text.ts";

const TIMES: readonly string[] = ["google.protobuf.Timestamp", "google.protobuf.Duration"];

/**
 * A message in proto JSON, on a line of its own. A time that JSON cannot hold, such as one of the year 10000, is left out:
 * it is the server's fault, and the rest counts.
 */
export function jsonLine<S extends DescMessage>(schema: S, message: MessageShape<S>): Printable {
  return print`${terminalJson(jsonOf(schema, message))}\n`;
}

function jsonOf<S extends DescMessage>(schema: S, message: MessageShape<S>): string {
  try {
    return toJsonString(schema, message);
  } catch {
    const copy = clone(schema, message);
    dropBadTimes(reflect(schema, copy));
    return toJsonString(schema, copy);
  }
}

function dropBadTimes(message: ReflectMessage): void {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") {
      const value = message.get(field);
      if (!TIMES.includes(field.message.typeName)) dropBadTimes(value);
      else if (!isJson(value)) message.clear(field);
    }
    if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field)) dropBadTimes(item as ReflectMessage);
    }
  }
}

function isJson({ desc, message }: ReflectMessage): boolean {
  try {
    toJsonString(desc, message);
    return true;
  } catch {
    return false;
  }
}
