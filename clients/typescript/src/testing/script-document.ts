/** A script as it is written, in YAML, in JSON or in a program. `docs/fake.md` says what each part does. */
export interface ScriptDocument {
  readonly turns: readonly TurnDocument[];
}

/** What the agent does for some prompts. */
export interface TurnDocument {
  /** A text that the prompt contains, or a regular expression as `/[Gg]ateway/i`. Unset: for all other prompts. */
  readonly when?: string;
  readonly steps: readonly StepDocument[];
}

/** A text, or one of so many bytes: `64KiB`. */
export type TextDocument = string | { readonly size: string | number };

/** How the agent ends a turn. */
export interface ResultDocument {
  /** Default: what was said last. */
  readonly text?: TextDocument;
  /** Default 0.01. */
  readonly cost_usd?: number;
  readonly usage?: {
    readonly input_tokens?: number;
    readonly output_tokens?: number;
    readonly cache_read_input_tokens?: number;
    readonly cache_creation_input_tokens?: number;
  };
  readonly is_error?: boolean;
  readonly stop_reason?: string;
  readonly num_turns?: number;
  readonly api_error_status?: number;
  readonly structured_output?: unknown;
}

/** One thing that the agent does: one of these keys. Durations are texts such as `500ms`, `2s` or `1m`. */
export type StepDocument =
  | { readonly text: TextDocument }
  | { readonly pieces: readonly (string | { readonly delay: string })[] }
  | { readonly void_pieces: readonly (string | { readonly delay: string })[] }
  | { readonly thinking: TextDocument }
  | {
      readonly tool: {
        readonly name: string;
        readonly input?: object;
        readonly output?: TextDocument;
        readonly is_error?: boolean;
        /** How long the call takes. */
        readonly takes?: string;
      };
    }
  | {
      readonly approval: {
        readonly tool: string;
        readonly input?: object;
        readonly title?: string;
        readonly output?: TextDocument;
        readonly allowed?: readonly StepDocument[];
        readonly denied?: readonly StepDocument[];
      };
    }
  | { readonly delay: string }
  | { readonly repeat: { readonly times: number; readonly steps: readonly StepDocument[] } }
  | { readonly result: string | ResultDocument }
  | {
      readonly retry: {
        readonly times?: number;
        readonly status?: number;
        readonly delay?: string;
      };
    }
  | { readonly line: string | object }
  | {
      readonly failure:
        | string
        | { readonly exit?: number; readonly signal?: NodeJS.Signals; readonly stderr?: string };
    };
