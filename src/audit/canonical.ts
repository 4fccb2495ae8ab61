import type { AuditValue } from "./entry.ts";

/** Everything that is not printable ASCII; JSON has escaped control characters, quotes and backslashes by then. */
const NOT_PRINTABLE = /[^ -~]/g;
/** Printable ASCII but for quotes and backslashes. */
const PLAIN = /^[ !#-[\]-~]*$/;
const NAME = /^\w{1,64}$/;

/**
 * The one text of a value: JSON with the members of objects in the order of their names, without white space, and with all
 * but printable ASCII escaped as `\uXXXX` in lower case. docs/audit.md has it in words.
 *
 * @throws RangeError where a number is not whole, or larger than is exact, or a name is not one that every language sorts alike.
 */
export function canonical(value: AuditValue): string {
  if (typeof value === "string") return textOf(value);
  if (typeof value === "number") return String(checked(value));
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(canonical).join()}]`;
  return objectText(value);
}

/** The members of an object in the order of their names. */
function objectText(value: { readonly [name: string]: AuditValue | undefined }): string {
  let text = "";
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member === undefined) continue;
    text += `${text === "" ? "" : ","}"${checkedName(name)}":${canonical(member)}`;
  }
  return `{${text}}`;
}

/** Most have nothing to escape. */
function textOf(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  return JSON.stringify(value).replace(NOT_PRINTABLE, escaped);
}

function checkedName(name: string): string {
  if (!NAME.test(name)) throw new RangeError("a member has no such name");
  return name;
}

function checked(value: number): number {
  // -0 is written 0, and would be read back as another number.
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} cannot be recorded`);
  return value + 0;
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function isList(value: object): value is readonly AuditValue[] {
  return Array.isArray(value);
}
