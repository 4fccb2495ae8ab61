import { type BreakglassClient, isNotFound } from "#client";
import { isLive } from "#client/turn-state";
import { TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { type Turn, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { commandForm } from "./command-form.ts";
import { eventText } from "./event-text.ts";
import { eventsSoFar } from "./events-so-far.ts";
import { ExitStatus } from "./exit-status.ts";
import { jsonLine } from "./json-line.ts";
import { resolveTurn } from "./resolve-id.ts";
import { sharesText } from "./shares.ts";
import type { Terminal } from "./terminal.ts";
import { hangingText, joined, oneLine, type Printable, print, shellWord } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";
import { turnFacts } from "./turn-facts.ts";

const FACT_CHARACTERS = 300;

/** What `show` takes. */
export interface ShowOptions extends ServerOptions {
  /** One TurnEvent in proto JSON a line. */
  readonly json?: boolean;
}

/**
 * Prints one turn whole, as far as it has come: what it was asked, and every event with its inputs and outputs uncut.
 *
 * @returns `ok`, however the turn ended.
 */
export async function show(turn: string, options: ShowOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal) => {
    const turnId = await resolveTurn(client, turn);
    const shown = (await client.getTurn({ turnId })).turn;
    if (shown !== undefined && !options.json) {
      const shares = await sharesOf(client, shown);
      await terminal.write(headText(shown, shares, terminal));
    }
    let state = shown?.state ?? TurnState.UNSPECIFIED;
    const look = { style: terminal.style, wrap: terminal.wrap, full: true };
    for await (const event of eventsSoFar(client, turnId, terminal.gone)) {
      if (event.kind.case === "checkpoint") state = event.kind.value.state;
      else {
        await terminal.write(
          options.json ? jsonLine(TurnEventSchema, event) : eventText(event, look),
        );
      }
    }
    if (isLive(state) && !options.json) {
      const attach = commandForm(options.url)("attach", shellWord(turnId));
      terminal.tell(print`The turn goes on:`, attach);
    }
    return ExitStatus.ok;
  });
}

/** Whom the turn's session is shared with; of one that an approver does not see nothing is told. */
async function sharesOf(
  client: BreakglassClient,
  { sessionId, sessionPrincipal }: Turn,
): Promise<Printable | undefined> {
  try {
    const { session } = await client.getSession({ sessionId, sessionPrincipal });
    return session && sharesText(session);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function headText(turn: Turn, shares: Printable | undefined, { style, wrap }: Terminal): Printable {
  const { principal, sessionPrincipal } = turn;
  const isOther = sessionPrincipal !== "" && sessionPrincipal !== principal;
  const owner = isOther ? print` of ${oneLine(sessionPrincipal, FACT_CHARACTERS)}` : print``;
  const times = print`${timeText(turn.createTime)}${turn.endTime === undefined ? print`` : print` to ${timeText(turn.endTime)}`}`;
  const lines = [
    wrap(print`turn ${oneLine(turn.turnId, FACT_CHARACTERS)}`),
    wrap(print`session ${oneLine(turn.sessionId, FACT_CHARACTERS)}${owner}`),
    ...(shares === undefined ? [] : [wrap(shares)]),
    wrap(print`by ${oneLine(turn.principal, FACT_CHARACTERS)}, ${times}`),
    wrap(turnFacts({ ...turn, prompt: "" })),
  ];
  const isAsked = turn.origin !== TurnOrigin.AGENT;
  const prompt = isAsked
    ? print`${style("bold", print`« ${hangingText(turn.prompt)} »`)}\n`
    : print``;
  return print`${joined(lines, "\n")}\n\n${prompt}`;
}
