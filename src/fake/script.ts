/** A script as the agent plays it: what is checked, with every default filled in. It goes to the agent as JSON. */
export interface Script {
  readonly turns: readonly ScriptedTurn[];
}

/** What the agent does for the prompts that it is for. */
export interface ScriptedTurn {
  /** Undefined: for every prompt that no other turn of the script is for. */
  readonly when?: PromptPattern | undefined;
  readonly steps: readonly Step[];
}

/** A prompt that contains a text, or that a regular expression fits. */
export type PromptPattern =
  | { readonly text: string }
  | { readonly source: string; readonly flags: string };

/** A text as it is, or one of so many bytes. */
export type SizedText = string | { readonly bytes: number };

/** Tokens, as the CLI names them. */
export interface ScriptedUsage {
  readonly input_tokens?: number | undefined;
  readonly output_tokens?: number | undefined;
  readonly cache_read_input_tokens?: number | undefined;
  readonly cache_creation_input_tokens?: number | undefined;
}

/** The end of a turn that the agent gives itself. */
export interface ScriptedResult {
  /** Undefined: what was said last. */
  readonly text?: SizedText | undefined;
  readonly costUsd: number;
  readonly usage?: ScriptedUsage | undefined;
  readonly isError: boolean;
  readonly stopReason?: string | undefined;
  readonly numTurns?: number | undefined;
  readonly apiErrorStatus?: number | undefined;
  readonly structuredOutput?: unknown;
}

/** The process ends, or never does. */
export interface ProcessFailure {
  /** `exit`: without a result. `hang`: prints nothing more. `deaf`: and obeys no interrupt. */
  readonly how: "exit" | "hang" | "deaf";
  readonly exitCode?: number | undefined;
  readonly signal?: NodeJS.Signals | undefined;
  readonly stderr?: string | undefined;
  /** What it prints in place of messages. */
  readonly stdout?: string | undefined;
  /** It does not come up: only as the first step. */
  readonly isBeforeStart: boolean;
}

/** One thing that the agent does. */
export type Step =
  | { readonly do: "text"; readonly text: SizedText }
  | {
      readonly do: "pieces";
      readonly pieces: readonly (string | { readonly delayMs: number })[];
      /** They come to nothing: the model begins anew. */
      readonly isVoid: boolean;
    }
  | { readonly do: "thinking"; readonly text: SizedText }
  | {
      readonly do: "tool";
      readonly name: string;
      readonly input: object;
      readonly output: SizedText;
      readonly isError: boolean;
      readonly takesMs: number;
    }
  | {
      readonly do: "approval";
      readonly tool: string;
      readonly input: object;
      readonly title?: string | undefined;
      readonly output: SizedText;
      readonly allowed: readonly Step[];
      readonly denied: readonly Step[];
    }
  | { readonly do: "delay"; readonly ms: number }
  | { readonly do: "repeat"; readonly times: number; readonly steps: readonly Step[] }
  | { readonly do: "result"; readonly result: ScriptedResult }
  | {
      readonly do: "retry";
      readonly times: number;
      readonly status: number;
      readonly delayMs: number;
    }
  | { readonly do: "line"; readonly line: string }
  | { readonly do: "apiFailure"; readonly kind: ApiFailureKind }
  | { readonly do: "failure"; readonly failure: ProcessFailure };

/** The errors that the CLI ends a turn with when the model's API fails, or a limit of its own is reached. */
export const API_FAILURES = [
  "auth",
  "not-logged-in",
  "billing",
  "rate-limit",
  "overloaded",
  "server-error",
  "unreachable",
  "refusal",
  "max-turns",
  "max-budget",
] as const;

/** One of them. */
export type ApiFailureKind = (typeof API_FAILURES)[number];
