import { boundedValue } from "./bounded-value.ts";
import { INVISIBLE_CHARACTERS, jsonEscaped } from "./stream/invisible-characters.ts";

/**
 * One line an occurrence, for the operator of the server. What an agent or a client wrote can neither reach a terminal as
 * anything but text, nor make a line longer than 256 KiB. Never throws.
 */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What belongs to an occurrence; errors are written with their stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A log of JSON lines: `time`, `level`, `message`, then the fields.
 *
 * @param write - Takes a line with its newline. One that cannot be written is lost.
 * @param redact - Takes secrets out of each text.
 */
export function createLog(
  write: (line: string) => void,
  redact: (text: string) => string = (text) => text,
): Log {
  const at = (level: string) => (message: string, fields?: LogFields) => {
    try {
      write(lineOf(level, message, fields, redact));
    } catch {
      // Whatever is being logged goes on: it is more than its line.
    }
  };
  return { info: at("info"), warn: at("warn"), error: at("error") };
}

function lineOf(
  level: string,
  message: string,
  fields: LogFields = {},
  redact: (text: string) => string,
): string {
  const text = boundedValue(message, redact);
  const line = { time: new Date().toISOString(), level, message: text };
  const { time, level: _level, message: _message, ...others } = boundedFields(fields, redact);
  return `${visible(JSON.stringify({ ...line, ...others }))}\n`;
}

/** Fields are an object, whatever they came as. */
function boundedFields(
  fields: LogFields,
  redact: (text: string) => string,
): Record<string, unknown> {
  const bounded = boundedValue(fields, redact);
  return typeof bounded === "object" && bounded !== null
    ? (bounded as Record<string, unknown>)
    : { fields: bounded };
}

/** JSON leaves most of them as they are; escaped they mean the same to whoever parses the line. */
function visible(json: string): string {
  return json.replace(INVISIBLE_CHARACTERS, jsonEscaped);
}
