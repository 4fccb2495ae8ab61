import type { Conversation } from "./conversation.ts";

/** A text, or how to make it of what the model was sent. */
export type Words = string | ((conversation: Conversation) => string);

/** One thing that the scripted model does. */
export type Step =
  | { readonly kind: "say"; readonly words: Words }
  | { readonly kind: "tool"; readonly name: string; readonly input: object }
  | {
      readonly kind: "error";
      readonly status: number;
      readonly message: string;
      readonly times: number;
    }
  | { readonly kind: "hang" }
  | { readonly kind: "stop" };

/** How the scripted model answers one prompt. */
export interface ScriptedTurn {
  /** Which prompt: one that contains this text, or any that fits. The first turn of a script that fits is played. */
  readonly when: string | ((conversation: Conversation) => boolean);
  /**
   * What the model does, in order. Each call of the model plays the steps up to and including the next tool; the agent runs
   * the tool and calls again.
   */
  readonly steps: readonly Step[];
}

/** Everything that the scripted model knows. */
export type Script = readonly ScriptedTurn[];

/** The model says something. */
export function say(words: Words): Step {
  return { kind: "say", words };
}

/** The model asks for a tool. */
export function tool(name: string, input: object): Step {
  return { kind: "tool", name, input };
}

/** The model asks for a shell command. */
export function bash(command: string, description = "Run a command"): Step {
  return tool("Bash", { command, description });
}

/**
 * The model's API fails.
 *
 * @param times - How many calls fail; the next one plays what follows. The agent tries many again by itself.
 */
export function error(status: number, message = `status ${status}`, times = Infinity): Step {
  return { kind: "error", status, message, times };
}

/** The model's API takes the call and never answers. */
export function hang(): Step {
  return { kind: "hang" };
}

/**
 * The model ends its turn. What follows is for an agent that calls again without having been asked anything, as it does when
 * a task in its background has ended: to the script that call belongs to the same prompt.
 */
export function stop(): Step {
  return { kind: "stop" };
}

/**
 * The steps that a call of the model plays.
 *
 * @param call - Which call of the turn, from 0.
 * @param isOver - Whether a step has been played as often as it may be; it is skipped then.
 */
export function stepsOfCall(
  steps: readonly Step[],
  call: number,
  isOver: (step: Step) => boolean,
): readonly Step[] {
  const calls: Step[][] = [[]];
  for (const step of steps) {
    if (isOver(step)) continue;
    calls.at(-1)?.push(step);
    if (step.kind !== "say") calls.push([]);
  }
  return calls[call] ?? [];
}
