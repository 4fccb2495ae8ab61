import { errorInfoOf } from "@breakglass/client";
import type { Account } from "../server/account.svelte.ts";
import { type Attached, attachedOf, attachmentProblems } from "./attachments.ts";
import { Draft } from "./draft.svelte.ts";
import { newId } from "./new-id.ts";
import { PromptSending, RECENT_MS } from "./prompt-sending.svelte.ts";
import { areAmounts, runRequest, type SessionName } from "./run-request.ts";
import { SessionFacts } from "./session-facts.svelte.ts";
import { bytesOf } from "./text-size.ts";

/** How much another clock may differ, in milliseconds. */
const SKEW_MS = 10 * 60_000;

/** A prompt from its first letter until it is a turn. To be made while a component is. */
export class Prompting {
  readonly draft: Draft;
  readonly sending: PromptSending;
  readonly facts: SessionFacts;
  /** What was sent before a reload had not arrived. */
  isUnfound = $state(false);
  readonly #account: Account;
  readonly #session: SessionName | undefined;
  #attaching = Promise.resolve();
  #steerId = newId();

  constructor(account: Account, session: SessionName | undefined) {
    this.#account = account;
    this.#session = session;
    const me = account.server?.caller?.principal ?? "";
    const place = session && `${session.principal || me}/${session.sessionId}`;
    this.draft = new Draft({ principal: me, name: `draft/${place ?? "new"}` });
    this.sending = new PromptSending(account.client, () => account.stay);
    this.facts = new SessionFacts(account, () => session);
  }

  /** What is told of the agent that the turn will have. */
  readonly agent = $derived.by(() => {
    const agents = this.#account.server?.agents ?? [];
    if (this.#session !== undefined) return this.facts.agent;
    return agents.find(({ kind }) => kind === this.draft.choices.agentKind) ?? agents[0];
  });

  readonly bytes = $derived.by(() => bytesOf(this.draft.text));
  readonly mostBytes = $derived.by(() =>
    Number(this.#account.server?.limits?.maxPromptBytes ?? Number.POSITIVE_INFINITY),
  );
  readonly problems = $derived.by(() => {
    const { agent, draft } = this;
    const limits = this.#account.server?.limits;
    if (agent === undefined || limits === undefined) return new Map();
    return attachmentProblems(draft.attachments, agent, limits);
  });

  get isGood(): boolean {
    const { draft, bytes, mostBytes, problems } = this;
    const isText = draft.text.trim() !== "" && bytes <= mostBytes;
    return isText && problems.size === 0 && areAmounts(draft.choices);
  }

  /** Nothing can be changed: what is on its way is the same until it is known what became of it. */
  get isStill(): boolean {
    return this.sending.isStill || this.sending.state.at === "unconfirmed";
  }

  /** Sends it, or the same again. Answers with the turn's id; undefined: `sending.state` says why there is none. */
  async send(): Promise<string | undefined> {
    const { draft, sending } = this;
    if (sending.isStill || !this.isGood) return undefined;
    this.isUnfound = false;
    draft.sent();
    const turnId = await sending.send(runRequest(draft.kept, this.#session));
    if (turnId !== undefined) draft.clear();
    else if (sending.state.at === "ready") {
      draft.refused();
      if (errorInfoOf(sending.state.refusal)?.reason === "REQUEST_ID_REUSED") draft.renew();
    }
    return turnId;
  }

  /**
   * After a reload: what was on its way then is sent again, and joined; where its files are not at hand, or the tab comes back after a
   * while, it is looked for.
   */
  async resume(): Promise<string | undefined> {
    const { draft } = this;
    if (draft.sentAt === undefined) return undefined;
    const isRecent = Math.abs(Date.now() - draft.sentAt) < RECENT_MS;
    if (this.isGood && isRecent) return await this.send();
    try {
      const found = await this.#find(draft.sentAt);
      if (found !== undefined) draft.clear();
      else {
        this.isUnfound = true;
        draft.refused();
      }
      return found;
    } catch (error) {
      this.sending.state = { at: "unconfirmed", error };
      return undefined;
    }
  }

  /** What is written becomes another prompt than the one that may run. */
  change(): void {
    this.draft.renew();
    this.sending.settle();
  }

  /** Sends it when another turn has ended. */
  async sendAfter(turnId: string): Promise<string | undefined> {
    return (await this.sending.waitFor(turnId)) ? await this.send() : undefined;
  }

  /** Tells what was written to a turn that runs. @throws ConnectError */
  async steer(turnId: string): Promise<void> {
    const message = this.draft.text;
    await this.#account.client.steerTurn({ turnId, message, requestId: this.#steerId });
    this.#steerId = newId();
    this.draft.clear();
  }

  /** Takes files, one after the other. */
  attach(files: readonly File[]): Promise<void> {
    this.#attaching = this.#attaching.then(async () => {
      for (const file of files) await this.#attach(file);
    });
    return this.#attaching;
  }

  async #attach(file: File): Promise<void> {
    const { agent, draft } = this;
    const limits = this.#account.server?.limits;
    if (agent === undefined || limits === undefined) return;
    const taken = draft.attachments.map(({ name }) => name);
    const attached: Attached = await attachedOf(file, taken, agent, limits);
    draft.attachments = [...draft.attachments, attached];
  }

  async #find(sentAt: number): Promise<string | undefined> {
    const { sessionId = "", principal: sessionPrincipal = "" } = this.#session ?? {};
    const principal = this.#account.server?.caller?.principal ?? "";
    const since = { seconds: BigInt(Math.floor((sentAt - SKEW_MS) / 1000)), nanos: 0 };
    const asked = { sessionId, sessionPrincipal, principal, since, pageSize: 100 };
    const { turns } = await this.#account.client.listTurns(asked);
    const { text } = this.draft;
    return turns.find(({ prompt, promptTruncated }) =>
      promptTruncated ? text.startsWith(prompt) : text === prompt,
    )?.turnId;
  }
}
