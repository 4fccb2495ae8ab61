import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { eventually } from "../support/processes.ts";

/** What the receiver does with a message once it has it. */
export type Answer = (response: ServerResponse) => void;

/** A message that came, whose signature was right. */
export interface Received {
  readonly id: string;
  readonly timestamp: number;
  readonly body: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly message: { type: string; timestamp: string; data: Record<string, unknown> };
}

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end();
/** Takes the message, and says nothing. */
export const silent: Answer = () => {};
export const reset: Answer = (response) => void response.socket?.resetAndDestroy();
/** Says that it is taken, and goes on for ever. */
export const endless =
  (code: number): Answer =>
  (response) => {
    response.writeHead(code);
    const more = () => {
      while (response.write("x".repeat(64 * 1024)));
    };
    response.on("drain", more);
    response.on("error", () => {});
    more();
  };

export const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

/** Receives webhooks, over a real socket, and verifies them by the specification's library. */
export class WebhookReceiver implements AsyncDisposable {
  readonly secret = newSecret();
  readonly received: Received[] = [];
  /** What was wrong with what came. */
  readonly refused: string[] = [];
  /** What becomes of the next messages, one each; then `answer` of the others. */
  readonly answers: Answer[] = [];
  answer: Answer = status(204);
  readonly #server;
  readonly #scheme: string;

  private constructor(tls?: { cert: string; key: string }) {
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void this.#receive(request, response);
    this.#scheme = tls === undefined ? "http" : "https";
    this.#server =
      tls === undefined
        ? createServer(listener)
        : createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, listener);
  }

  static async start(tls?: { cert: string; key: string }): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(tls);
    await once(receiver.#server.listen(0, "127.0.0.1"), "listening");
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}/hooks?from=breakglass`;
  }

  /** The settings of a server that sends to it. */
  async settings(root: string, url = this.url): Promise<Record<string, string>> {
    const path = join(root, "webhook-secret");
    await writeFile(path, `# the receiver's\n${this.secret}\n`, { mode: 0o600 });
    return { BREAKGLASS_NOTIFY_URL: url, BREAKGLASS_NOTIFY_SECRET_FILE: path };
  }

  /** Waits for so many messages, those that came twice too. */
  async until(count: number): Promise<readonly Received[]> {
    await eventually(
      () => this.received.length,
      (length) => length >= count,
    );
    return this.received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => "");
    const headers = request.headers as Record<string, string>;
    try {
      const message = new Webhook(this.secret).verify(body, headers) as Received["message"];
      const [id, timestamp] = [headers["webhook-id"]!, Number(headers["webhook-timestamp"])];
      const { url: path = "" } = request;
      this.received.push({ id, timestamp, body, path, headers, message });
    } catch (error) {
      this.refused.push(String(error));
    }
    (this.answers.shift() ?? this.answer)(response);
  }
}
