/** One line an occurrence, for the operator of the server. What an agent or a client wrote is escaped by JSON. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What belongs to an occurrence; errors are written with their stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A log of JSON lines: `time`, `level`, `message`, then the fields. */
export function createLog(write: (line: string) => void): Log {
  const at = (level: string) => (message: string, fields?: LogFields) => {
    write(`${JSON.stringify({ time: new Date(), level, message, ...fields }, plain)}\n`);
  };
  return { info: at("info"), warn: at("warn"), error: at("error") };
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error)
    return { name: value.name, message: value.message, stack: value.stack };
  return typeof value === "bigint" ? String(value) : value;
}
