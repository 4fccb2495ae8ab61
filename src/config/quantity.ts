export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** What a number counts. */
export type Unit = "things" | "seconds" | "bytes";

const SCALES = {
  things: [],
  seconds: [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ],
  bytes: [
    [2 ** 40, "TiB"],
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ],
} as const satisfies Record<Unit, readonly (readonly [number, string])[]>;

/** What a number is in the largest unit that it is a multiple of, such as `8 MiB`. Undefined: nothing shorter than itself. */
export function inLargestUnit(value: number, unit: Unit): string | undefined {
  const scale = SCALES[unit].find(([size]) => value > 0 && value % size === 0);
  return scale && `${value / scale[0]} ${scale[1]}`;
}

/** A number as a setting takes it, and what it is: `8388608 (8 MiB)`. */
export function quantityText(value: number, unit: Unit): string {
  const scaled = inLargestUnit(value, unit);
  return scaled === undefined ? String(value) : `${value} (${scaled})`;
}
