import { z } from "zod";

// The format of the files in cases/, which docs/conformance.md tells of.

const json = z.record(z.string(), z.unknown());
const count = z.int().min(0);
const ms = z.int().min(0).max(120_000);

const status = z.strictObject({
  code: z.string().regex(/^[A-Z_]+$/),
  reason: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  // Until the next day, at most.
  retry_delay_ms: z.int().min(0).max(86_400_000).optional(),
  violations: z.array(z.strictObject({ field: z.string(), description: z.string() })).optional(),
});

/**
 * How what stands in between ends a call: well, as a connection that is closed or reset, not at all (`stall`: the call is
 * silent, `dead`: its connection passes nothing on any more), or with a status.
 */
const ending = z.union([z.enum(["ok", "cut", "reset", "stall", "dead"]), status]);

/** For so many calls in a row. */
const times = z.int().min(1).max(1000).default(1);

const rule = z.union([
  /** A page of a proxy's own, before any answer. */
  z.strictObject({ http: z.int().min(400).max(599), times }),
  /** An answer in the server's place: its messages, null for an empty one, `pause` for a wait in ms, and its end. */
  z.strictObject({ send: z.array(json.nullable()).default([]), end: ending.default("ok"), times }),
  /** The server's own answer, changed. */
  z.strictObject({
    pass: z.strictObject({
      /** This event is left out, sent twice, or sent behind the one after it. */
      drop: count.optional(),
      repeat: count.optional(),
      swap: count.optional(),
      /** Behind this event the call ends; 0: in place of its first message. Left out: where the server ends it. */
      until: count.optional(),
    }),
    end: ending.optional(),
    times,
  }),
]);

const action = z.strictObject({
  /** Done when all of these hold. */
  after: z.strictObject({
    /** The driver has printed the event with this sequence. */
    sequence: count.optional(),
    /** The driver has printed an event, or a change, of this kind. */
    kind: z.string().optional(),
    /** So many connections were made. */
    connections: count.optional(),
    /** So long after the last thing was done. */
    ms: ms.optional(),
  }),
  do: z.enum([
    "kill",
    "drain",
    "start",
    "cut",
    "reset",
    "blacken",
    "hold",
    "release",
    "refuse",
    "accept",
    "allow",
    "deny",
    "cancel",
    "run",
    "delete_session",
  ]),
  /** It is no problem where the client has ended before its time came, as on a slow machine. */
  optional: z.boolean().default(false),
});

const options = z.strictObject({
  first_wait_ms: ms.default(2),
  longest_wait_ms: ms.default(20),
  give_up_ms: ms.default(40_000),
  first_give_up_ms: ms.default(40_000),
  silence_ms: ms.default(15_000),
});

const end = z.union([
  z.enum(["ok", "left", "cut", "silence", "gap"]),
  status.partial().extend({ violations: z.array(json).optional() }),
]);

const expected = z.strictObject({
  /** What is delivered, each as far as it says. Checkpoints, and messages without a change, count where that is exact. */
  events: z.array(json).optional(),
  checkpoints: z.enum(["exact", "loose"]).default("loose"),
  /** `joined`: pieces do not count as events; those before a text join to its beginning, and there are some. */
  pieces: z.enum(["exact", "joined"]).default("exact"),
  changes: z.array(json).optional(),
  outcome: json.optional(),
  answer: json.optional(),
  end: end.default("ok"),
  /** The calls that were made: `run`, `attach 3`, `watch 3`, `other`. */
  calls: z.array(z.string().regex(/^(run|(attach|watch) \d+|[A-Z]\w+)$/)).optional(),
  /** Between the first call and the second, and so on. */
  waits: z.array(z.strictObject({ at_least_ms: ms, at_most_ms: ms.optional() })).optional(),
  /** How many turns the session has on record behind it. */
  turns: count.optional(),
  /** What becomes of the turn, once it has ended. */
  turn: json.optional(),
});

const schema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** The sentence that holds where the case does. */
  holds: z.string().min(10),
  call: z.string().default("stream_turn"),
  request: json.default({}),
  options: options.prefault({}),
  /** The driver leaves behind so many events. */
  leave_after: count.optional(),
  /** The driver's caller wants no more after so long. */
  leave_after_ms: ms.optional(),
  /** It waits for so long behind each event. */
  pause_ms: ms.optional(),
  token: z.string().optional(),
  /** What the fake's agent does in the case's turn. */
  script: z.array(json).optional(),
  /** A server of its own, with these options of `fake`, and these settings. */
  server: z
    .strictObject({
      options: z.array(z.string()).default([]),
      settings: z.record(z.string(), z.string()).default({}),
    })
    .optional(),
  /** The kit runs a turn first: to its end, or as far as its first approval. */
  before: z.enum(["ended", "waiting"]).optional(),
  /** What becomes of the calls, the one after the other; those behind the last are answered by the server. */
  calls: z.array(rule).optional(),
  /** Connection i is cut behind so many bytes of the server's. */
  cuts: z
    .strictObject({ first: count, step: count, count: count, how: z.enum(["FIN", "RST"]) })
    .optional(),
  meanwhile: z.array(action).default([]),
  limit_ms: ms.default(60_000),
  expect: expected,
});

/** One file: its cases, whose names begin with the file's. */
export const caseFile = z.array(schema);

/** A case: what the client under test is told, what is done to it meanwhile, and what must come of it. */
export type ConformanceCase = z.infer<typeof schema>;
/** What becomes of one call. */
export type CallRule = z.infer<typeof rule>;
/** How what stands in between ends a call. */
export type Ending = z.infer<typeof ending>;
/** A status as the files have it, and drivers print it. */
export type StatusText = z.infer<typeof status>;
/** Something that is done while the client reads. */
export type Action = z.infer<typeof action>;
/** What must come. */
export type Expected = z.infer<typeof expected>;
