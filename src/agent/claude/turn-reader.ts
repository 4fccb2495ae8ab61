import type { ProcessExit } from "../process/piped-process.ts";
import type { ThrownAway } from "./framing.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import type { RefusalCause } from "./malformed.ts";

/** Takes what a conversation prints: a turn's run, or what keeps it while there is none. Must not throw. */
export interface TurnReader {
  /** The CLI begins to work on something: its `init` follows as a message. */
  cameUp(): void;
  message(message: Message, line: LineContent): void;
  /** What is no message: a line, or what stands in one beside so many messages, which follow. */
  malformed(thrown: ThrownAway, messages: number): void;
  /** A line was not read. */
  refused(bytes: number, cause: RefusalCause): void;
  /** One of our messages was taken up. */
  takenUp(uuid: string): void;
  /** The CLI asks: a `control_request`. */
  asked(message: Message, line: LineContent): void;
  /** It no longer waits for an answer. */
  withdrawn(requestId: string): void;
  /** It gave a result, or spoke, without having begun a turn. */
  strayed(message: Message, line: LineContent): void;
  /** The process is ended for what it does; `why` goes on from "the agent". */
  distrusted(why: string): void;
  /** All that came in one piece was given. */
  flush(): void;
  /** The process has ended; nothing more comes. */
  ended(exit: ProcessExit): void;
}
