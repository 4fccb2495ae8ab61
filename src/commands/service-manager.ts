import { spawn } from "node:child_process";
import type { Supervision } from "../config/environment.ts";
import type { Log } from "../log.ts";

/** A third of the time after which systemd takes the server for hung: two of them may be lost. */
const PART = 3;

/**
 * Tells systemd how the server stands (sd_notify(3)), where a unit of `Type=notify` started it.
 *
 * Node has no datagram sockets of a Unix name: systemd's own `systemd-notify` sends for it, which takes `NotifyAccess=all`. Never
 * throws; what cannot be sent is logged once, and changes nothing.
 */
export class ServiceManager {
  readonly #supervision: Supervision | undefined;
  readonly #log: Log;
  #isTold = false;

  /** @param supervision - Undefined: nobody is told. */
  constructor(supervision: Supervision | undefined, log: Log) {
    this.#supervision = supervision;
    this.#log = log;
  }

  /** Connections are accepted. From now on it hears that the server's loop runs, as often as it asked for. */
  ready(): void {
    this.#send("READY=1");
    const { watchdogMs } = this.#supervision ?? {};
    if (watchdogMs === undefined) return;
    setInterval(() => this.#send("WATCHDOG=1"), Math.max(1, watchdogMs / PART)).unref();
  }

  /** The server drains. */
  stopping(): void {
    this.#send("STOPPING=1");
  }

  #send(state: string): void {
    if (this.#supervision === undefined) return;
    const { socket, searchPath } = this.#supervision;
    const failed = (why: unknown) => {
      if (this.#isTold) return;
      this.#isTold = true;
      const mend = "install systemd-notify, or use a unit of Type=exec without WatchdogSec=";
      this.#log.error("systemd cannot be told how the server stands", { why, mend });
    };
    try {
      const env = { NOTIFY_SOCKET: socket, PATH: searchPath };
      const child = spawn("systemd-notify", [state], { env, stdio: "ignore" });
      child.on("error", ({ code }: NodeJS.ErrnoException) => failed(code));
      child.on("exit", (status) => status !== 0 && failed(`systemd-notify ends with ${status}`));
      child.unref();
    } catch (error) {
      failed((error as Error).message);
    }
  }
}
