import type { Duration } from "@bufbuild/protobuf/wkt";

const UINT32_MAX = 2 ** 32 - 1;
const INT32_MAX = 2 ** 31 - 1;
const UINT64_MAX = 2n ** 64n - 1n;
/** What google.protobuf.Duration takes, in seconds: about 10,000 years. */
const DURATION_MAX = 315_576_000_000;

/** The nearest number that a `uint32` field takes; 0 for what is no number. */
export function toUint32(value: unknown): number {
  return clamp(value, 0, UINT32_MAX);
}

/** The nearest number that an `int32` field takes; 0 for what is no number. */
export function toInt32(value: unknown): number {
  return clamp(value, -INT32_MAX - 1, INT32_MAX);
}

/** The nearest number that a `uint64` field takes; 0 for what is no number. */
export function toUint64(value: number): bigint {
  const count = BigInt(clamp(value, 0, Number.MAX_VALUE));
  return count < UINT64_MAX ? count : UINT64_MAX;
}

/** A duration of so many milliseconds, to the nanosecond. Undefined for what is no number, 0 for a negative one. */
export function toDuration(milliseconds: unknown): Duration | undefined {
  if (typeof milliseconds !== "number" || Number.isNaN(milliseconds)) return undefined;
  const total = Math.min(Math.max(milliseconds, 0), DURATION_MAX * 1000);
  const seconds = Math.floor(total / 1000);
  const nanos = Math.min(Math.round((total - seconds * 1000) * 1e6), 999_999_999);
  return { $typeName: "google.protobuf.Duration", seconds: BigInt(seconds), nanos };
}

/** A number that a `double` field holds without surprise: 0 for what is none or not finite. */
export function toFinite(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function clamp(value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || Number.isNaN(value)) return 0;
  return Math.min(Math.max(Math.trunc(value), least), most) + 0;
}
