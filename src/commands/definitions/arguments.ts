import { InvalidArgumentError, Option } from "commander";
import { type TurnState, TurnStateSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";

import { ROLES, type Role } from "../../identity/caller.ts";

// What an argument or an option can be, and how that is said where it is something else.

const SPANS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function positiveSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 604_800) return seconds;
  throw new InvalidArgumentError("It takes a number of seconds above 0, at most 604800.");
}

export function positiveDollars(text: string): number {
  const usd = /^\$?(\d{1,9}(?:\.\d{1,6})?)$/.exec(text)?.[1];
  if (Number(usd) > 0) return Number(usd);
  throw new InvalidArgumentError("It takes an amount of US dollars above 0, such as 2.50.");
}

export function wholeSequence(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32) return Number(text);
  throw new InvalidArgumentError("It takes a whole number from 0 to 4294967295.");
}

/** One file an option: an option that took several would take the prompt too. */
export function append(file: string, before: readonly string[] = []): readonly string[] {
  return [...before, file];
}

export function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 2 ** 16) return Number(text);
  throw new InvalidArgumentError("It takes a port from 0 to 65535.");
}

export function cursor(text: string): bigint {
  if (/^\d{1,15}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("It takes a whole number.");
}

export function count(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It takes a whole number from 1 to 9999999.");
}

/** One could lose nothing to another; and each takes some hundred MB. */
export function replicaCount(text: string): number {
  if (/^[2-9]$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It takes a whole number from 2 to 9.");
}

/** What a client speaks, one or several, separated by commas. */
export function protocols(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => ["grpc", "grpc-web", "connect"].includes(name))) return names;
  throw new InvalidArgumentError("It takes protocols: grpc, grpc-web, connect.");
}

/** A time, in milliseconds since the epoch: `2h` ago, or a date with or without a time. */
export function since(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit !== "") return Date.now() - Number(number) * (SPANS[unit] ?? 0);
  const time = /^\d{4}-\d\d-\d\d([T ].*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new InvalidArgumentError(
    "It takes how long ago (30s, 15m, 2h, 7d) or a time (2026-01-02, 2026-01-02T03:04:05Z).",
  );
}

/** A time to come, in milliseconds since the epoch: in `30d`, or a date with or without a time. */
export function until(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const isDate = /^\d{4}-\d\d-\d\d([T ].*)?$/.test(text);
  const span = unit === "" ? Number.NaN : Date.now() + Number(number) * (SPANS[unit] ?? 0);
  const time = isDate ? Date.parse(text) : span;
  if (time > Date.now()) return time;
  throw new InvalidArgumentError(
    "It takes how long from now (12h, 30d) or a time to come (2027-01-01, 2027-01-01T00:00:00Z).",
  );
}

const ROLE_NAMES: readonly string[] = ROLES;

/** Roles, one or several, separated by commas. */
export function roles(text: string): readonly Role[] {
  const names = text.split(",").map((name) => name.trim());
  if (!names.every((name) => ROLE_NAMES.includes(name))) {
    throw new InvalidArgumentError(`It takes roles: ${ROLES.join(", ")}.`);
  }
  return ROLES.filter((role) => names.includes(role));
}

const { values: STATES, sharedPrefix = "" } = TurnStateSchema;
/** The states of turns as options name them. */
const STATE_NAMES = STATES.slice(1).map(({ name }) =>
  name.slice(sharedPrefix.length).toLowerCase().replaceAll("_", "-"),
);

/** States of turns, one or several, separated by commas; the option may be given more than once. */
export function states(text: string, before: readonly TurnState[] = []): readonly TurnState[] {
  const found = text.split(",").map((name) => {
    const index = STATE_NAMES.indexOf(name.trim().toLowerCase().replaceAll("_", "-"));
    if (index >= 0) return STATES[index + 1]!.number as TurnState;
    throw new InvalidArgumentError(`It takes states of a turn: ${STATE_NAMES.join(", ")}.`);
  });
  return [...before, ...found];
}

/** Who begins turns, as options name them. */
const ORIGINS: Readonly<Record<string, TurnOrigin>> = {
  caller: TurnOrigin.CALLER,
  agent: TurnOrigin.AGENT,
};

/** Who began turns. */
export function origin(text: string): TurnOrigin {
  const found = ORIGINS[text.trim().toLowerCase()];
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It takes who began them: ${Object.keys(ORIGINS).join(", ")}.`);
}

/** The options that commands share. */
export const options = {
  json: (what: string) => new Option("--json", `print one ${what} in JSON a line`),
  state: () =>
    new Option(
      "--state <states>",
      `only turns in one of these: ${STATE_NAMES.join(", ")}`,
    ).argParser(states),
  since: () =>
    new Option("--since <time>", "only turns since then: 2h, 7d, 2026-01-02T03:04:05Z").argParser(
      since,
    ),
  until: () =>
    new Option("--until <time>", "only turns before then, as --since has it").argParser(since),
  principal: () => new Option("--principal <name>", "only this principal's turns"),
  origin: () =>
    new Option("--origin <who>", "only turns begun by a caller, or by an agent").argParser(origin),
  grep: () =>
    new Option("--grep <text>", "only turns with this in the first 4 KiB of their prompt"),
  limit: () => new Option("--limit <n>", "so many at most").argParser(count),
  full: () => new Option("--full", "inputs and outputs whole"),
};
