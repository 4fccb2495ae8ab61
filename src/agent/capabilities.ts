/** The images that an agent takes. */
export interface ImageLimits {
  /** Their media types, in lower case. */
  readonly mediaTypes: readonly string[];
  /** What one of them may have. */
  readonly maxBytes: number;
}

/** What an agent can do beside running a prompt. What it cannot is refused, and nothing of it goes on record. */
export interface AgentCapabilities {
  /** It takes messages while it works. */
  readonly steer: boolean;
  /** A tool call can be allowed with another input than it was asked about with. */
  readonly changedInput: boolean;
  /** It begins work of its own. */
  readonly ownWork: boolean;
  /** It goes on with a conversation whose process has ended. */
  readonly resume: boolean;
  /** What it takes of images. Undefined: none. */
  readonly images: ImageLimits | undefined;
  /** It tells what its turns cost. Otherwise 0 is unknown. */
  readonly cost: boolean;
}
