import type { ModelOutput } from "./model-output.ts";

/** Whether a tool may be called. */
export interface Answer {
  readonly behavior: "allow" | "deny";
  readonly updatedInput?: object;
  readonly message?: string;
}

/** A question whether a tool may be called. */
export interface Question {
  readonly toolId: string;
  readonly name: string;
  readonly input: object;
  /** What the call is for. Unset: what the CLI says of a call that says nothing. */
  readonly title?: string | undefined;
}

/** What a step can do to the agent that takes it; `S` is what its player's steps are. */
export interface StepContext<S> {
  readonly sessionId: string;
  /** Aborts when the turn is interrupted. */
  readonly signal: AbortSignal;
  /** What the model says, and the tools that it calls. */
  readonly model: ModelOutput;
  /** Prints a line of JSON. */
  print(message: object): void;
  /** Plays further steps; answers whether one of them gave the turn's result. */
  playAll(steps: readonly S[]): Promise<boolean>;
  /** The turn has cost so much more, which a result tells, and who asks before. */
  spend(usd: number): void;
  /** Gives the turn's result, with other members than the usual. */
  result(text: string, members?: object): void;
  /** Nothing that asks or tells the agent to end is heeded any more. */
  ignoreStops(): void;
  /** No interrupt is answered any more. */
  ignoreInterrupts(): void;
  /** The process exits as soon as the turn has its result. */
  endAfterResult(): void;
  /** What came with the prompt, a line or more for each block. */
  received(): readonly string[];
  /** Whether a message was sent that is not taken up yet. */
  messageWaits(): boolean;
  /** Whether a tool may be called, once that is answered. */
  ask(question: Question): Promise<Answer>;
  /** How a question is answered that was printed under an id. */
  answerTo(requestId: string): Promise<Answer | undefined>;
  /** Starts a task that ends after so many milliseconds, and is followed up by a turn of the agent's own. */
  startTask(milliseconds: number, prompt: string): void;
}

/** What a prompt has the agent do. */
export interface Scene<S> {
  readonly steps: readonly S[];
  /** The agent does not say that it came up. */
  readonly isSilent?: boolean;
  /** The process exits at the end, without a result of its own. */
  readonly endsWithoutResult?: boolean;
}

/** Knows what prompts have the agent do, and does it. */
export interface Player<S> {
  sceneOf(prompt: string): Scene<S>;
  /** What a message has it do that joins a running turn. */
  joinedBy(message: string): readonly S[];
  /**
   * Plays a step; answers whether it gave the turn's result. It need not end where `context.signal` aborts: nothing waits
   * for it then.
   */
  play(step: S, context: StepContext<S>): boolean | Promise<boolean>;
  /** Whether a step is a call of a tool: what is sent meanwhile becomes part of the turn behind it. */
  isTool(step: S): boolean;
}
