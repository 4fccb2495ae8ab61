import { pino } from "pino";
import { boundedValue } from "./bounded-value.ts";
import { INVISIBLE_CHARACTERS, jsonEscaped } from "./stream/invisible-characters.ts";

/** From the least to the most urgent: a log of one level leaves out those before it. */
export type LogLevel = "info" | "warn" | "error";

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

/** A log whose level can be changed. */
export interface LeveledLog extends Log {
  /** The least urgent level that is written. */
  level: LogLevel;
}

/**
 * A log of JSON lines by pino: `level`, `time`, `message`, then the fields. It writes all levels until it is told otherwise.
 *
 * @param write - Takes a line with its newline. One that cannot be written is lost.
 * @param redact - Takes secrets out of each text.
 */
export function createLog(
  write: (line: string) => void,
  redact: (text: string) => string = (text) => text,
): LeveledLog {
  const lines = pino(OPTIONS, { write: (line) => write(visible(line)) });
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    try {
      if (lines.isLevelEnabled(level)) lines[level](lineOf(message, fields, redact));
    } catch {
      // Whatever is being logged goes on: it is more than its line.
    }
  };
  return {
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    get level() {
      return lines.level as LogLevel;
    },
    set level(level) {
      lines.level = level;
    },
  };
}

const OPTIONS = {
  level: "info",
  // Every line would say the same of the process and its machine, which whoever gathers lines knows.
  base: null,
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: { level: (level: string) => ({ level }) },
};

/** Bounded before pino sees it, which serializes whatever it is given. The message stands before what may be long. */
function lineOf(
  message: string,
  fields: LogFields = {},
  redact: (text: string) => string,
): Record<string, unknown> {
  const { time, level, message: _message, ...others } = boundedFields(fields, redact);
  return { message: boundedValue(message, redact), ...others };
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

/** JSON leaves most of them as they are; escaped they mean the same to whoever parses the line. Its newline stays. */
function visible(line: string): string {
  return `${line.slice(0, -1).replace(INVISIBLE_CHARACTERS, jsonEscaped)}\n`;
}
