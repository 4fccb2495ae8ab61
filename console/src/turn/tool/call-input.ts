import type { ToolEvent } from "@breakglass/client";
import { type Json, readJson } from "./json.ts";
import { briefOf } from "./tool-brief.ts";

/** An input as it is shown. */
export interface CallInput {
  /** Undefined: it is no JSON that can be shown. */
  readonly json: Json | undefined;
  readonly brief: string;
}

const read = new WeakMap<ToolEvent, CallInput>();

/** The input of a call; it is read once, when somebody sees it. */
export function inputOf(call: ToolEvent): CallInput {
  let input = read.get(call);
  if (input === undefined) {
    const json = readJson(call.inputJson);
    input = { json, brief: briefOf(call.name, json) };
    read.set(call, input);
  }
  return input;
}
