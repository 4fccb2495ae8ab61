import { closest } from "fastest-levenshtein";
import { z } from "zod";
import { API_FAILURES, type ApiFailureKind, type ProcessFailure, type Step } from "./script.ts";
import {
  duration,
  fields,
  flag,
  sizedText,
  taking,
  text,
  toolInput,
  wholeNumber,
} from "./script-kinds.ts";

const name = text.min(1, taking("a name"));
const tokens = wholeNumber(0, 1e9).optional();
const usage = fields({
  input_tokens: tokens,
  output_tokens: tokens,
  cache_read_input_tokens: tokens,
  cache_creation_input_tokens: tokens,
});
const COST_FORM = taking("a number of dollars such as 0.25");

const result = fields({
  text: sizedText.optional(),
  cost_usd: z.number(COST_FORM).min(0, COST_FORM).default(0.01),
  usage: usage.optional(),
  is_error: flag.default(false),
  stop_reason: text.optional(),
  num_turns: wholeNumber(0, 1e6).optional(),
  api_error_status: wholeNumber(100, 599).optional(),
  structured_output: z.unknown().optional(),
}).transform((given): Step => {
  const {
    cost_usd,
    is_error,
    stop_reason,
    num_turns,
    api_error_status,
    structured_output,
    ...rest
  } = given;
  const result = {
    ...rest,
    costUsd: cost_usd,
    isError: is_error,
    stopReason: stop_reason,
    numTurns: num_turns,
    apiErrorStatus: api_error_status,
    structuredOutput: structured_output,
  };
  return { do: "result", result };
});

const tool = fields({
  name,
  input: toolInput.default({}),
  output: sizedText.default(""),
  is_error: flag.default(false),
  takes: duration.default(0),
}).transform(
  ({ is_error: isError, takes: takesMs, ...rest }): Step => ({
    do: "tool",
    ...rest,
    isError,
    takesMs,
  }),
);

const approval = () =>
  fields({
    tool: name,
    input: toolInput.default({}),
    title: text.optional(),
    output: sizedText.default(""),
    allowed: steps().default([]),
    denied: steps().default([]),
  }).transform((given): Step => ({ do: "approval", ...given }));

const PIECES_FORM = taking("a list of texts, which may have { delay: 100ms } between them");
const pieces = z
  .array(
    z.union(
      [z.string(), fields({ delay: duration }).transform(({ delay: delayMs }) => ({ delayMs }))],
      PIECES_FORM,
    ),
    PIECES_FORM,
  )
  .min(1, PIECES_FORM);

const repeat = () =>
  fields({ times: wholeNumber(0, 10_000_000), steps: steps() }).transform(
    (given): Step => ({ do: "repeat", ...given }),
  );

const retry = fields({
  times: wholeNumber(1, 100).default(1),
  status: wholeNumber(100, 599).default(529),
  delay: duration.default(0),
}).transform(({ delay: delayMs, ...rest }): Step => ({ do: "retry", ...rest, delayMs }));

const line = z
  .union(
    [z.string(), z.record(z.string(), z.unknown())],
    taking("a line as the CLI prints it, as a text or a map"),
  )
  .transform(
    (given): Step => ({
      do: "line",
      line: typeof given === "string" ? given : JSON.stringify(given),
    }),
  );

/** What the process can do, by name. */
const PROCESS_FAILURES: Readonly<Record<string, ProcessFailure>> = {
  crash: { how: "exit", signal: "SIGKILL", isBeforeStart: false },
  "no-result": { how: "exit", exitCode: 0, isBeforeStart: false },
  "not-started": {
    how: "exit",
    exitCode: 1,
    stderr: "Error: the scripted agent does not start",
    isBeforeStart: true,
  },
  garbage: { how: "exit", exitCode: 0, stdout: "this is no message", isBeforeStart: true },
  hang: { how: "hang", isBeforeStart: false },
  deaf: { how: "deaf", isBeforeStart: false },
};
const FAILURE_NAMES = [...Object.keys(PROCESS_FAILURES), ...API_FAILURES];
const FAILURE_FORM = `one of ${FAILURE_NAMES.join(", ")}, or a map with exit or signal, and stderr`;

const SIGNALS = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGSEGV", "SIGABRT"] as const;
const exit = fields({
  exit: wholeNumber(0, 255).optional(),
  signal: z.enum(SIGNALS, taking(`one of ${SIGNALS.join(", ")}`)).optional(),
  stderr: text.optional(),
}).transform(
  ({ exit: exitCode, signal, stderr }): Step => ({
    do: "failure",
    failure: { how: "exit", exitCode, signal, stderr, isBeforeStart: false },
  }),
);

const failure = z.unknown().transform((given, context): Step => {
  if (typeof given === "string") {
    const process = Object.hasOwn(PROCESS_FAILURES, given) ? PROCESS_FAILURES[given] : undefined;
    if (process !== undefined) return { do: "failure", failure: process };
    const kind = given as ApiFailureKind;
    if (API_FAILURES.includes(kind)) return { do: "apiFailure", kind };
  } else if (typeof given === "object" && given !== null && !Array.isArray(given)) {
    const parsed = exit.safeParse(given);
    if (parsed.success) return parsed.data;
    passOn(parsed.error, [], context);
    return NOTHING;
  }
  context.addIssue({ code: "custom", message: FAILURE_FORM });
  return NOTHING;
});

/** What stands for a step that cannot be used; the script is refused then. */
const NOTHING: Step = { do: "delay", ms: 0 };

const shortResult = z
  .unknown()
  .transform((given) => (typeof given === "string" ? { text: given } : (given ?? {})));

/** What each kind of step takes. */
const KINDS: Readonly<Record<string, () => z.ZodType<Step>>> = {
  text: () => sizedText.transform((given): Step => ({ do: "text", text: given })),
  pieces: () => pieces.transform((given): Step => ({ do: "pieces", pieces: given, isVoid: false })),
  void_pieces: () =>
    pieces.transform((given): Step => ({ do: "pieces", pieces: given, isVoid: true })),
  thinking: () => sizedText.transform((given): Step => ({ do: "thinking", text: given })),
  tool: () => tool,
  approval,
  delay: () => duration.transform((ms): Step => ({ do: "delay", ms })),
  repeat,
  result: () => shortResult.pipe(result),
  retry: () => retry,
  line: () => line,
  failure: () => failure,
};

/** The names of all kinds of steps. */
export const STEP_NAMES = Object.keys(KINDS);
const STEP_FORM = `a map with one key, which is one of ${STEP_NAMES.join(", ")}`;

const step = z.unknown().transform((given, context): Step => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    context.addIssue({ code: "custom", message: STEP_FORM });
    return NOTHING;
  }
  const keys = Object.keys(given);
  const [kind = ""] = keys;
  const unknown = keys.find((key) => !Object.hasOwn(KINDS, key));
  if (unknown !== undefined) {
    const message = `${STEP_FORM}: did you mean ${closest(unknown, STEP_NAMES)}?`;
    context.addIssue({ code: "custom", path: [unknown], message, params: { isKey: true } });
    return NOTHING;
  }
  if (keys.length !== 1) {
    context.addIssue({ code: "custom", message: STEP_FORM });
    return NOTHING;
  }
  const parsed = KINDS[kind]!().safeParse((given as Record<string, unknown>)[kind]);
  if (parsed.success) return parsed.data;
  passOn(parsed.error, [kind], context);
  return NOTHING;
});

/** A list of steps, in which others may be. */
export function steps() {
  return z.array(
    z.lazy(() => step),
    taking("a list of steps"),
  );
}

function passOn({ issues }: z.ZodError, below: PropertyKey[], context: z.RefinementCtx): void {
  for (const { path, message, ...rest } of issues) {
    const keys = rest.code === "unrecognized_keys" ? rest.keys : [];
    const params = { ...(rest.code === "custom" ? rest.params : {}) };
    if (keys.length === 0) {
      context.addIssue({ code: "custom", path: [...below, ...path], message, params });
    }
    for (const key of keys) {
      const place = [...below, ...path, key];
      context.addIssue({ code: "custom", path: place, message, params: { isKey: true } });
    }
  }
}
