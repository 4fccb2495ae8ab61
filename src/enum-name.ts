import type { DescEnum } from "@bufbuild/protobuf";

/** The name of an enum's value without its prefix, such as `TURN_TIMEOUT`; the number of one that is unknown. */
export function enumName(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? String(value);
}
