import { createContext } from "svelte";
import type { Account } from "../server/account.svelte.ts";
import type { Folds } from "./folds.svelte.ts";
import type { TurnReading } from "./turn-reading.svelte.ts";
import type { TurnScroll } from "./turn-scroll.svelte.ts";

/** What all parts of a turn's page know. */
export interface TurnContext {
  readonly account: Account;
  readonly reading: TurnReading;
  readonly scroll: TurnScroll;
  readonly folds: Folds;
  /** It has the page to itself, and is not one of a session's. */
  readonly isWhole: boolean;
}

export const [turnContext, setTurnContext] = createContext<TurnContext>();
