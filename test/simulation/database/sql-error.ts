/** What PostgreSQL answers with where it does not do what it is asked. */
export class SqlError extends Error {
  override readonly name = "SqlError";
  readonly severity: "ERROR" | "FATAL";
  readonly code: string;

  constructor(code: string, message: string, severity: "ERROR" | "FATAL" = "ERROR") {
    super(message);
    this.code = code;
    this.severity = severity;
  }
}
