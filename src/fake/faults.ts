import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ConfigError } from "../config/config-error.ts";
import type { RefusalReason } from "../errors.ts";
import { REFUSAL_REASONS } from "./refusals.ts";
import { DURATION_FORM, readDuration, readSize } from "./script-kinds.ts";

/** What happens so long after a connection's first call, or after a stream began. */
export interface ConnectionFault {
  readonly kind: "cut" | "stall" | "goaway" | "calm";
  readonly afterMs: number;
  /** How many connections or streams it happens to. */
  readonly times: number;
}

/** What happens to the server so long after a stream began. */
export interface ServerFault {
  readonly kind: "drain" | "restart" | "lost";
  readonly afterMs: number;
  readonly times: number;
}

/** How calls are answered. */
export type CallFault =
  | {
      readonly kind: "refuse";
      readonly reason: RefusalReason;
      readonly times: number;
      /** Undefined: whatever is called. */
      readonly method?: string | undefined;
    }
  | { readonly kind: "http"; readonly status: number; readonly times: number }
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  | { readonly kind: "no-retry-info" };

/** Something that goes wrong. */
export type Fault = ConnectionFault | ServerFault | CallFault;

/** A fault, and how often it is still to happen. */
export interface PlannedFault<F extends Fault = Fault> {
  /** By which it is told of. */
  readonly id: number;
  readonly fault: F;
  left: number;
}

/** After how long, where it is not said. */
const USUAL_AFTER_MS = 1000;

const CONNECTION_KINDS: readonly string[] = ["cut", "stall", "goaway", "calm"];
const SERVER_KINDS: readonly string[] = ["drain", "restart", "lost"];

/** The forms that a fault is written in, in the order of the documents. */
export const FAULT_FORMS = [
  "cut[:AFTER][:TIMES]",
  "stall[:AFTER][:TIMES]",
  "goaway[:AFTER][:TIMES]",
  "calm[:AFTER][:TIMES]",
  "drain[:AFTER][:TIMES]",
  "restart[:AFTER][:TIMES]",
  "lost[:AFTER][:TIMES]",
  "slow:BYTES_A_SECOND",
  "refuse:REASON[@METHOD][:TIMES]",
  "http:STATUS[:TIMES]",
  "no-retry-info",
] as const;

/**
 * Reads a fault as it is written, such as `cut:2s`.
 *
 * @throws ConfigError that says what would be right.
 */
export function readFault(written: string): Fault {
  const [kind = "", ...rest] = written.split(":");
  if (CONNECTION_KINDS.includes(kind)) {
    return { kind: kind as ConnectionFault["kind"], ...moment(written, rest, Infinity) };
  }
  if (SERVER_KINDS.includes(kind)) {
    return { kind: kind as ServerFault["kind"], ...moment(written, rest, 1) };
  }
  const [first = "", times, ...more] = rest;
  if (more.length > 0) throw mistake(written, formOf(kind));
  switch (kind) {
    case "refuse":
      return { kind, ...refusal(written, first), times: timesOf(written, times, Infinity) };
    case "http":
      if (!/^[45]\d\d$/.test(first))
        throw mistake(written, "http:STATUS[:TIMES], a status from 400 to 599");
      return { kind, status: Number(first), times: timesOf(written, times, Infinity) };
    case "slow": {
      const bytesPerSecond = readSize(first) ?? 0;
      if (bytesPerSecond < 1 || times !== undefined)
        throw mistake(written, "slow:BYTES_A_SECOND, such as slow:64KiB");
      return { kind, bytesPerSecond };
    }
    case "no-retry-info":
      if (rest.length > 0) throw mistake(written, "no-retry-info and nothing behind it");
      return { kind };
  }
  throw mistake(written, `one of ${FAULT_FORMS.join(", ")}`);
}

function moment(written: string, parts: readonly string[], usualTimes: number) {
  const isDuration = parts[0] !== undefined && /[a-z]$/.test(parts[0]);
  const [after, times, ...more] = isDuration ? parts : [undefined, ...parts];
  if (more.length > 0) throw mistake(written, formOf(written.split(":", 1)[0] ?? ""));
  const afterMs = after === undefined ? USUAL_AFTER_MS : readDuration(after);
  if (afterMs === undefined) throw mistake(written, `AFTER as ${DURATION_FORM}`);
  return { afterMs, times: timesOf(written, times, usualTimes) };
}

function timesOf(written: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw mistake(written, "TIMES as a whole number from 1, and AFTER with its unit");
  return Number(text);
}

const METHODS: readonly string[] = BreakglassService.methods.map(({ name }) => name);

function refusal(written: string, text: string): { reason: RefusalReason; method?: string } {
  const [reason = "", method, ...more] = text.split("@");
  const known = REFUSAL_REASONS.find((it) => it === reason);
  if (known === undefined) throw mistake(written, `REASON as one of ${REFUSAL_REASONS.join(", ")}`);
  if (method === undefined) return { reason: known };
  if (more.length > 0 || !METHODS.includes(method))
    throw mistake(written, `METHOD as one of ${METHODS.join(", ")}`);
  return { reason: known, method };
}

function formOf(kind: string): string {
  return FAULT_FORMS.find((form) => form.startsWith(kind)) ?? FAULT_FORMS.join(", ");
}

function mistake(written: string, takes: string): ConfigError {
  return new ConfigError(`the fault ${JSON.stringify(written)} is not known: it takes ${takes}`);
}
