import type { Caller } from "../identity/caller.ts";
import type { ApprovalAnswer, RunRequest } from "../turn-requests.ts";
import type { SessionName } from "./views.ts";

/** What somebody asks of a turn that runs. */
export interface Command {
  readonly turnId: string;
  /** Who asks. The server that runs the turn looks itself whether he may. */
  readonly caller: Caller;
  readonly ask:
    | { readonly case: "cancel" }
    | { readonly case: "interrupt" }
    | { readonly case: "steer"; readonly message: string; readonly requestId: string }
    | {
        readonly case: "resolveApproval";
        readonly approvalId: string;
        readonly answer: ApprovalAnswer;
      };
}

/** A session's home to those who ask something of it. It looks itself whether `caller` may. */
export interface SessionHome {
  /** Records a turn and begins it, or finds the one of the same request. Resolves with its id. */
  run(request: RunRequest, caller: Caller): Promise<string>;
  /** Removes a session. Resolves with whether nothing of it is left. */
  deleteSession(name: SessionName, caller: Caller): Promise<boolean>;
}

/** A server to those who send it commands. */
export interface CommandServer {
  /** Whether the turn runs here. */
  runs(turnId: string): boolean;
  /** As `Commands.send`. */
  perform(command: Command): Promise<number | undefined>;
}

/**
 * The way to the server that runs a turn, and to the one that is a session's home.
 *
 * 1. A command is done once or not at all; it is not kept, and no server does it that does not run the turn, or is not the
 *    home.
 * 2. What it brings about is on record before it is answered.
 * 3. It goes one way: who gets it does it or refuses it, and sends it on to nobody.
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
  /**
   * A server by its name, to be asked for what concerns sessions that are at home there.
   *
   * Each method throws a Refusal as that server refuses it; SESSION_ELSEWHERE where it cannot be reached. Where it is gone
   * before it has answered that too, and what was asked may have been done.
   */
  homeOf(name: string): SessionHome;
  /**
   * Does what is sent to a server by its name.
   *
   * @returns Ends that for what is sent from then on. Idempotent.
   */
  serveHome(name: string, home: SessionHome): () => void;
}
