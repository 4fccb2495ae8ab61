import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

/** A string or bytes somewhere in a message. */
export interface MessagePart {
  /** The field's name in the proto, such as `attachments[1].name`. */
  readonly name: string;
  readonly value: string | Uint8Array;
}

/** Every string and all bytes of a message, also of those within it. */
export function* partsOf(
  desc: DescMessage,
  message: Message,
  path = "",
): Generator<MessagePart, void, undefined> {
  for (const field of desc.fields) {
    const name = `${path}${field.name}`;
    const value = valueIn(field, message);
    if (!Array.isArray(value)) {
      yield* partsOfValue(field, value, name);
      continue;
    }
    for (const [index, item] of value.entries()) {
      yield* partsOfValue(field, item, `${name}[${index}]`);
    }
  }
}

function* partsOfValue(field: DescField, value: unknown, name: string): Generator<MessagePart> {
  if (typeof value === "string" || value instanceof Uint8Array) yield { name, value };
  else if (field.message !== undefined && value !== undefined) {
    yield* partsOf(field.message, value as Message, `${name}.`);
  }
}

function valueIn(field: DescField, message: Message): unknown {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  if (field.oneof === undefined) return values[field.localName];
  const chosen = values[field.oneof.localName] as { case?: string; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}
