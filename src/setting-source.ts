import type { Log } from "./log.ts";

/** What a setting's file says, which can be read again while the server runs. */
export class SettingSource<T> {
  readonly #variable: string;
  readonly #read: () => T;
  #current: T;

  /**
   * Reads it for the first time.
   *
   * @throws What `read` throws.
   */
  constructor(variable: string, read: () => T) {
    this.#variable = variable;
    this.#read = read;
    this.#current = read();
  }

  /** What it said when it could last be read. */
  get current(): T {
    return this.#current;
  }

  /** Reads it again. Where that fails, what it said before stays; the log has which. Never throws. */
  readAgain(log: Log): void {
    const setting = this.#variable;
    try {
      this.#current = this.#read();
      log.info("a setting was read again", { setting });
    } catch (error) {
      const why = (error as Error).message;
      log.error("a setting cannot be read again: what it was before stays", { setting, why });
    }
  }
}
