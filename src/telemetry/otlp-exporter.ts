import { setTimeout as delay } from "node:timers/promises";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";

/** Where spans are sent, and how. */
export interface OtlpTarget {
  /** The collector's, without `/v1/traces`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly protocol: "http/protobuf" | "http/json";
}

/** A batch gets so long, with all that it is tried again. */
const EXPORT_MS = 10_000;
const FIRST_RETRY_MS = 500;
/** What OTLP says may be tried again. */
const RETRYABLE = [429, 502, 503, 504];

const FORMATS = {
  "http/protobuf": { serializer: ProtobufTraceSerializer, type: "application/x-protobuf" },
  "http/json": { serializer: JsonTraceSerializer, type: "application/json" },
} as const;

/**
 * Sends spans to a collector by OTLP over HTTP.
 *
 * The SDK's own transport reads variables of the environment beside the settings, headers with secrets among them, and its
 * time limit is one of silence: a collector that goes on answering holds it for ever. What is serialized is the SDK's.
 *
 * 1. A batch is sent or given up within 10 s, whatever the collector does, and nothing of an answer but its status is read.
 */
export class OtlpExporter implements SpanExporter {
  readonly #url: URL;
  readonly #target: OtlpTarget;
  readonly #told: (spans: number, error: Error | undefined) => void;
  readonly #closing = new AbortController();
  readonly #sending = new Set<Promise<void>>();

  /** @param told - Called with how many spans were sent, or why they were not. */
  constructor(target: OtlpTarget, told: (spans: number, error: Error | undefined) => void) {
    this.#url = new URL(`${target.url.replace(/\/+$/, "")}/v1/traces`);
    this.#target = target;
    this.#told = told;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const sending = this.#send(spans).then(
      () => {
        this.#told(spans.length, undefined);
        done({ code: ExportResultCode.SUCCESS });
      },
      (error: Error) => {
        this.#told(spans.length, error);
        done({ code: ExportResultCode.FAILED, error });
      },
    );
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#sending);
  }

  /** Gives up what is on its way. */
  async shutdown(): Promise<void> {
    this.#closing.abort(new Error("the server ends"));
  }

  async #send(spans: ReadableSpan[]): Promise<void> {
    const { serializer } = FORMATS[this.#target.protocol];
    const body = serializer.serializeRequest(spans);
    if (body === undefined) throw new Error("the spans cannot be serialized");
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(EXPORT_MS)]); // 1.
    for (let retryMs = FIRST_RETRY_MS; ; retryMs *= 2) {
      const failure = await this.#post(body as Uint8Array<ArrayBuffer>, signal);
      if (failure === undefined) return;
      if (signal.aborted || !failure.isRetryable) throw failure.error;
      await delay(retryMs * (1 + Math.random()), undefined, { signal, ref: false }).catch(() => {
        throw failure.error;
      });
    }
  }

  async #post(body: Uint8Array<ArrayBuffer>, signal: AbortSignal) {
    const headers = {
      ...this.#target.headers,
      "content-type": FORMATS[this.#target.protocol].type,
    };
    try {
      const init = { method: "POST", headers, body, signal, redirect: "error" } as const;
      const answer = await fetch(this.#url, init);
      await answer.body?.cancel(); // 1.
      if (answer.ok) return undefined;
      const error = new Error(`the collector answered ${answer.status}`);
      return { error, isRetryable: RETRYABLE.includes(answer.status) };
    } catch (error) {
      return { error: reasonOf(error as Error), isRetryable: true };
    }
  }
}

/** `fetch` says what happened in the cause of its error. */
function reasonOf(error: Error): Error {
  return error.cause instanceof Error ? error.cause : error;
}
