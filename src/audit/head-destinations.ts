import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { hostname } from "node:os";
import type { Log } from "../log.ts";
import { sendUnixDatagram } from "./unix-datagram.ts";

/** Where heads are kept. */
export interface HeadDestination {
  /** There is one of each at most. */
  readonly kind: "log" | "file" | "syslog" | "url";
  /** For the log. */
  readonly name: string;
  /**
   * Hands a head over.
   *
   * @param line - The head's, without a newline.
   * @param signal - Ends it.
   * @throws Error where it was not taken, as far as that can be known.
   */
  send(line: string, signal: AbortSignal): Promise<void>;
}

/** Facility 13, log audit; severity 5, notice (RFC 5424). */
const PRIORITY = 13 * 8 + 5;

/** The server's own log, which something collects. */
export function toLog(log: Log): HeadDestination {
  return {
    ...{ kind: "log", name: "log" },
    send: async (line) => log.info("the audit has a new head", { head: JSON.parse(line) }),
  };
}

/** A file that is appended to, and on disk before it counts as sent. */
export function toFile(path: string): HeadDestination {
  return {
    ...{ kind: "file", name: path },
    send: (line, signal) =>
      writeFile(path, `${line}\n`, { flag: "a", mode: 0o600, flush: true, signal }),
  };
}

/** An HTTP endpoint: each head is the body of a POST, and taken where the answer is a 2xx. */
export function toUrl(url: string): HeadDestination {
  return {
    ...{ kind: "url", name: new URL(url).origin },
    async send(body, signal) {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(url, { method: "POST", body, headers, signal, redirect: "error" });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    },
  };
}

/**
 * Syslog by RFC 5424: a line on a stream, a datagram over UDP, of which nobody knows whether it came. A datagram socket in the
 * file system, as `/dev/log` is, has it as `syslog` of the C library sends it.
 */
export function toSyslog(address: {
  readonly protocol: "unix" | "tcp" | "udp";
  readonly host: string;
  readonly port: number;
}): HeadDestination {
  const { protocol, host, port } = address;
  const name = protocol === "unix" ? host : `${protocol}://${host}:${port}`;
  const send = { unix: sendLocally, tcp: sendStream, udp: sendDatagram }[protocol];
  return { kind: "syslog", name, send: (line, signal) => send(address, line, signal) };
}

/** As syslogd is now: another one may listen by another kind of socket. */
async function sendLocally(address: Address, line: string, signal: AbortSignal) {
  try {
    await sendStream(address, line, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPROTOTYPE") throw error;
    sendUnixDatagram(address.host, Buffer.from(localLine(line)));
  }
}

/** As syslogd takes it from its own machine. */
function localLine(line: string): string {
  const [, month = "", day = "", , time = ""] = new Date().toString().split(" ");
  const padded = String(Number(day)).padStart(2);
  return `<${PRIORITY}>${month} ${padded} ${time} breakglass[${process.pid}]: audit-head ${line}`;
}

function syslogLine(line: string): string {
  const time = new Date().toISOString();
  return `<${PRIORITY}>1 ${time} ${hostname()} breakglass ${process.pid} audit-head - ${line}`;
}

type Address = Parameters<typeof toSyslog>[0];

async function sendStream({ protocol, host, port }: Address, head: string, signal: AbortSignal) {
  const line = syslogLine(head);
  const socket = protocol === "unix" ? connect(host) : connect(port, host);
  // Also one that comes when nobody waits any more.
  socket.on("error", () => {});
  try {
    await once(socket, "connect", { signal });
    socket.end(`${line}\n`);
    // What the other side says, or closes with, is not looked at.
    socket.resume();
    await once(socket, "finish", { signal });
  } finally {
    socket.destroySoon();
  }
}

async function sendDatagram({ host, port }: Address, head: string, signal: AbortSignal) {
  const line = syslogLine(head);
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  try {
    const sent = Promise.withResolvers<void>();
    socket.on("error", sent.reject);
    signal.addEventListener("abort", () => sent.reject(signal.reason), { once: true });
    socket.send(line, port, host, (error) =>
      error === null ? sent.resolve() : sent.reject(error),
    );
    await sent.promise;
  } finally {
    socket.close();
  }
}
