/** What somebody asks of a turn that runs. */
export interface Command {
  readonly turnId: string;
  /** Who asks. The server that runs the turn looks itself whether he may. */
  readonly principal: string;
  readonly ask:
    | { readonly case: "cancel" }
    | { readonly case: "interrupt" }
    | { readonly case: "steer"; readonly message: string; readonly requestId: string }
    | {
        readonly case: "resolveApproval";
        readonly approvalId: string;
        readonly answer:
          | { readonly allow: true; readonly inputJson?: string }
          | { readonly allow: false; readonly message: string };
      };
}

/** A server to those who send it commands. */
export interface CommandServer {
  /** Whether the turn runs here. */
  runs(turnId: string): boolean;
  /** As `Commands.send`. */
  perform(command: Command): Promise<number | undefined>;
}

/**
 * The way to the server that runs a turn.
 *
 * 1. A command is done once or not at all; it is not kept, and no server does it that does not run the turn.
 * 2. What it brings about is on record before it is answered.
 */
export interface Commands {
  /**
   * Has a command done. Resolves, of a message for the turn, with the sequence of the event that it became.
   *
   * @throws Refusal as the turn's server refuses it; FENCED where no server runs the turn. Where that server is gone before
   * it has answered, FENCED too, and what was asked may have been done.
   */
  send(command: Command): Promise<number | undefined>;
  /**
   * Does what is sent to turns that run here.
   *
   * @returns Ends that for what is sent from then on. Idempotent.
   */
  serve(server: CommandServer): () => void;
}
