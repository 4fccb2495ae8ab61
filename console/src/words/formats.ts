import type { Language } from "./language.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Units of a duration; German and English have the same signs for them but the day's. */
const UNITS = [
  { ms: DAY_MS, en: "d", de: "T" },
  { ms: HOUR_MS, en: "h", de: "h" },
  { ms: MINUTE_MS, en: "min", de: "min" },
  { ms: SECOND_MS, en: "s", de: "s" },
] as const;

/** How times, sums and counts are written in a language. */
export interface Formats {
  /** The two largest units that say something: `4 min 12 s`, `2 h 5 min`. Never less than `0 s`. */
  duration(ms: number): string;
  /** `3 min ago`, in the largest unit. */
  ago(ms: number): string;
  /** `14:03:27`. */
  time(date: Date): string;
  /** With its day. */
  dateTime(date: Date): string;
  /** US dollars, to the cent; smaller sums to the hundredth of one. */
  cost(usd: number): string;
  count(n: number | bigint): string;
  /** `2.1 MB`. */
  bytes(n: number): string;
  /** `a, b and c`. */
  list(items: readonly string[]): string;
  /** `a, b or c`. */
  either(items: readonly string[]): string;
}

export function formatsOf(language: Language): Formats {
  const relative = new Intl.RelativeTimeFormat(language, { style: "short", numeric: "auto" });
  const time = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
  const dateTime = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const number = new Intl.NumberFormat(language);
  const short = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  const cents = new Intl.NumberFormat(language, { style: "currency", currency: "USD" });
  const small = new Intl.NumberFormat(language, {
    style: "currency",
    currency: "USD",
    maximumFractionDigits: 4,
  });
  const list = new Intl.ListFormat(language, { type: "conjunction" });
  const either = new Intl.ListFormat(language, { type: "disjunction" });
  return {
    duration: (ms) => duration(ms, language),
    ago: (ms) => ago(ms, relative),
    time: (date) => time.format(date),
    dateTime: (date) => dateTime.format(date),
    cost: (usd) => (usd < 0.1 ? small : cents).format(usd),
    count: (n) => number.format(n),
    bytes: (n) => bytes(n, short),
    list: (items) => list.format(items),
    either: (items) => either.format(items),
  };
}

function duration(ms: number, language: Language): string {
  const whole = Math.max(0, Math.floor(ms / SECOND_MS)) * SECOND_MS;
  const first = UNITS.findIndex((unit) => whole >= unit.ms);
  if (first === -1) return "0 s";
  let rest = whole;
  const parts = UNITS.slice(first, first + 2).map((unit) => {
    const n = Math.floor(rest / unit.ms);
    rest %= unit.ms;
    return { n, text: `${n} ${unit[language]}` };
  });
  return parts
    .filter(({ n }) => n > 0)
    .map(({ text }) => text)
    .join(" ");
}

function ago(ms: number, relative: Intl.RelativeTimeFormat): string {
  if (ms >= DAY_MS) return relative.format(-Math.floor(ms / DAY_MS), "day");
  if (ms >= HOUR_MS) return relative.format(-Math.floor(ms / HOUR_MS), "hour");
  if (ms >= MINUTE_MS) return relative.format(-Math.floor(ms / MINUTE_MS), "minute");
  return relative.format(-Math.max(0, Math.floor(ms / SECOND_MS)), "second");
}

function bytes(n: number, short: Intl.NumberFormat): string {
  if (n < 1000) return `${short.format(n)} B`;
  if (n < 1e6) return `${short.format(n / 1e3)} kB`;
  if (n < 1e9) return `${short.format(n / 1e6)} MB`;
  return `${short.format(n / 1e9)} GB`;
}
