import { randomUUID } from "node:crypto";
import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Tracer,
  trace as traces,
} from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Happenings } from "../happenings.ts";
import type { Log } from "../log.ts";
import { PacedWarning } from "../paced-warning.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { TraceContext } from "../trace-context.ts";
import { readVersion } from "../version.ts";
import { OtlpExporter, type OtlpTarget } from "./otlp-exporter.ts";
import { TracedTurn } from "./traced-turn.ts";

/** Spans that wait to be sent: some 2 MB. Those that come while it is full are lost. */
const MAX_WAITING_SPANS = 2048;
const BATCH_SPANS = 256;
const SEND_EVERY_MS = 2000;
/** What is left is sent as the server ends, but it is not waited for longer. */
const FLUSH_MS = 3000;
/** A name of a model or a tool is shorter. */
const ATTRIBUTE_UNITS = 256;

/** What became of spans: of those that were made some wait yet, or came while there was no room. */
export interface SpanCounts {
  made: number;
  sent: number;
  failed: number;
}

/**
 * A trace for each turn, sent to a collector by OTLP.
 *
 * 1. Nothing waits for the collector, and what waits for it is bounded.
 * 2. Spans have names, times and counts, and nothing that was said or read.
 */
export class Traces {
  readonly happenings: Happenings;
  readonly spans: SpanCounts = { made: 0, sent: 0, failed: 0 };
  readonly #provider: TracerProvider;
  readonly #exporter: OtlpExporter;
  readonly #warning: PacedWarning;

  constructor(target: OtlpTarget, log: Log) {
    this.#warning = new PacedWarning(log, "spans could not be sent", "spans");
    this.#exporter = new OtlpExporter(target, (spans, error) => this.#told(spans, error));
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        "service.name": "breakglass",
        "service.version": readVersion(),
        "service.instance.id": randomUUID(),
      }),
      spanLimits: { attributeValueLengthLimit: ATTRIBUTE_UNITS },
      spanProcessors: [
        countingProcessor(this.spans),
        new BatchSpanProcessor({
          exporter: this.#exporter,
          maxQueueSize: MAX_WAITING_SPANS, // 1.
          maxExportBatchSize: BATCH_SPANS,
          scheduledDelayMillis: SEND_EVERY_MS,
        }),
      ],
    });
    this.happenings = tracedTurns(this.#provider.getTracer("breakglass"));
  }

  /** Sends what is left, within 3 s. Never rejects. */
  async close(): Promise<void> {
    const sent = this.#provider.shutdown().catch(() => {});
    await byDeadline(sent, FLUSH_MS, undefined);
    await this.#exporter.shutdown();
    this.#warning.stop();
  }

  #told(spans: number, error: Error | undefined): void {
    if (error === undefined) {
      this.spans.sent += spans;
      return;
    }
    this.spans.failed += spans;
    const why = (error as NodeJS.ErrnoException).code ?? error.message;
    this.#warning.count(why);
  }
}

function countingProcessor(spans: SpanCounts): SpanProcessor {
  return {
    onStart() {},
    onEnd() {
      spans.made++;
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  };
}

function tracedTurns(tracer: Tracer): Happenings {
  return {
    turnAccepted: (turn, agentKind, trace) =>
      new TracedTurn(tracer, turn, agentKind, trace, contextOf(trace)),
    leftTurnEnded() {},
    requestRefused() {},
  };
}

/** What a turn's trace goes on from. */
function contextOf(trace: TraceContext | undefined): Context {
  if (trace === undefined) return ROOT_CONTEXT;
  const [, traceId = "", spanId = "", flags = ""] = trace.traceparent.split("-");
  return traces.setSpanContext(ROOT_CONTEXT, {
    ...{ traceId, spanId, isRemote: true },
    // The lowest bit alone is known to say something: whoever asks has the trace recorded.
    traceFlags: Number.parseInt(flags, 16) & 1,
    traceState: createTraceState(trace.tracestate),
  });
}
