/** The longest text, in UTF-16 units. */
const TEXT_UNITS = 8192;
/** The longest message in front of an error's stack: the stack is what tells where. */
const STACKED_MESSAGE_UNITS = 2048;
/** All of it together, names included. */
const ALL_UNITS = 32_768;
/** What any value counts for, beside its text: a number is written with up to 25 characters. */
const VALUE_UNITS = 8;
const MAX_DEPTH = 6;
const MAX_ENTRIES = 100;
/** What stands for a value that throws when it is looked at. */
const UNREADABLE = "[unreadable]";

/**
 * A copy of any value that JSON can hold, bounded in depth, in entries and in text, which says where something was cut. Never
 * throws: not for what refers to itself, nor for getters, proxies and `toJSON` that do. Errors come with name, message, code,
 * stack and cause.
 *
 * @param rewrite - What becomes of each text, before it is cut.
 */
export function boundedValue(
  value: unknown,
  rewrite: (text: string) => string = (text) => text,
): unknown {
  return new BoundedCopy(rewrite).of(value, 0);
}

class BoundedCopy {
  #unitsLeft = ALL_UNITS;
  /** What the copy is inside of: a value that stands in two places is no circle. */
  readonly #around = new Set<object>();
  readonly #rewrite: (text: string) => string;

  constructor(rewrite: (text: string) => string) {
    this.#rewrite = rewrite;
  }

  of(value: unknown, depth: number): unknown {
    this.#unitsLeft -= VALUE_UNITS;
    try {
      if (typeof value === "string") return this.#text(value);
      if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
      if (value === undefined) return undefined;
      if (typeof value !== "object") return this.#text(String(value));
      return this.#object(value, depth);
    } catch {
      return UNREADABLE;
    }
  }

  #object(value: object, depth: number): unknown {
    if (this.#around.has(value)) return "[circular]";
    if (depth >= MAX_DEPTH) return "[deeper]";
    if (this.#unitsLeft <= 0) return "[cut]";
    this.#around.add(value);
    try {
      if (value instanceof Error) return this.#error(value, depth);
      if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
      const { toJSON } = value as { toJSON?: unknown };
      if (typeof toJSON === "function") return this.of(toJSON.call(value, ""), depth + 1);
      if (Array.isArray(value)) return this.#list(value, depth);
      return this.#entries(Object.keys(value), (key) => Reflect.get(value, key), depth);
    } finally {
      this.#around.delete(value);
    }
  }

  #list(list: readonly unknown[], depth: number): unknown[] {
    const copy: unknown[] = [];
    for (let index = 0; index < list.length; index++) {
      if (index >= MAX_ENTRIES || this.#unitsLeft <= 0) {
        copy.push(`[${list.length - index} more]`);
        break;
      }
      copy.push(this.of(list[index], depth + 1) ?? null);
    }
    return copy;
  }

  #entries(keys: readonly string[], get: (key: string) => unknown, depth: number): unknown {
    const copy = new Map<string, unknown>();
    for (const [index, key] of keys.entries()) {
      if (index >= MAX_ENTRIES || this.#unitsLeft <= 0) {
        copy.set("…", `[${keys.length - index} more]`);
        break;
      }
      const name = this.#text(key);
      copy.set(name, this.of(this.#read(get, key), depth + 1));
    }
    // Through a map: an entry named `__proto__` stays an entry.
    return Object.fromEntries(copy);
  }

  #read(get: (key: string) => unknown, key: string): unknown {
    try {
      return get(key);
    } catch {
      return UNREADABLE;
    }
  }

  #error(error: Error, depth: number): unknown {
    const keys = ["name", "message", "code", "stack", "cause", "errors"];
    const present = keys.filter(
      (key) => this.#read(() => Reflect.get(error, key), key) !== undefined,
    );
    return this.#entries(
      present,
      (key) => (key === "stack" ? shortStack(error) : Reflect.get(error, key)),
      depth,
    );
  }

  #text(whole: string): string {
    const most = Math.max(0, Math.min(TEXT_UNITS, this.#unitsLeft));
    const text = this.#rewrite(whole);
    this.#unitsLeft -= Math.min(text.length, most) + 1;
    return text.length <= most ? text : `${text.slice(0, most)}… [${text.length} characters]`;
  }
}

/** A stack begins with the message, which would leave no room for the rest. */
function shortStack({ name, message, stack = "" }: Error): string {
  if (message.length <= STACKED_MESSAGE_UNITS || !stack.startsWith(`${name}: ${message}`)) {
    return stack;
  }
  const frames = stack.slice(name.length + 2 + message.length);
  return `${name}: ${message.slice(0, STACKED_MESSAGE_UNITS)}…${frames}`;
}
