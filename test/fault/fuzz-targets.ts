import { create } from "@bufbuild/protobuf";
import { z } from "zod";
import { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { ClaudeTranslation } from "../../src/agent/claude/translation.ts";
import { Refusal } from "../../src/errors.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import { PageTokens } from "../../src/rpc/page-token.ts";
import { runTurnRules, turnRules, validate } from "../../src/rpc/request-rules.ts";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { faultsOfBytes, faultsOfOrder } from "../agent/claude/stream-rules.ts";
import { readTranscript, transcriptNames } from "../agent/claude/transcript.ts";
import { isUuid } from "../support/arbitrary-ids.ts";
import { MUTATION_KINDS, mutateLine, STRANGE_VALUES } from "../support/line-mutations.ts";
import { tokenOwner } from "../support/presented.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { translateLine } from "../support/translated-lines.ts";

/**
 * Something that takes input from outside: makes one input and has it taken. Returns how many inputs that was.
 *
 * @throws Error that says what was wrong with what came of it, or whatever the code under test threw.
 */
export type FuzzTarget = (random: SeededRandom) => number;

/** Ends of lines, NUL, parts of characters, and what JSON is made of. */
const TELLING = [...Buffer.from('\n\n\r\0 {}[]":,0-e\\u'), 0xc3, 0xa9, 0xe2, 0xff];

/** The line reader, held against a plain reading of the whole. */
export function fuzzByteLines(random: SeededRandom): number {
  const whole = random.bytes(random.below(80), TELLING);
  const maxBytes = 1 + random.below(random.oneOf([8, 100]));
  const pieces: string[] = [];
  const lines = new ByteLines(maxBytes, {
    line: (bytes) => void pieces.push(Buffer.from(bytes).toString("latin1"), "\n"),
    skipped: (length) => void pieces.push(`(${length})\n`),
  });
  for (let start = 0; start < whole.length; ) {
    const end = start + random.below(20);
    lines.push(whole.subarray(start, end));
    start = end;
  }
  lines.end();
  const seen = pieces.join("");
  const text = Buffer.from(whole).toString("latin1");
  const ended = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  const expected = ended.replace(/[^\n]+/g, (line) =>
    line.length > maxBytes ? `(${line.length})` : line,
  );
  if (seen !== expected) throw new Error(`read ${JSON.stringify(seen)} of ${JSON.stringify(text)}`);
  return 1;
}

const transcripts = transcriptNames().map((name) => readTranscript(name).lines.map(String));
/** The few lines that are much longer are those of one kind. */
const LINES = [...new Set(transcripts.flat())].filter((line) => line.length < 4000);

/** The parser and the translation, on the lines of one turn. */
export function fuzzTranslation(random: SeededRandom): number {
  const translation = new ClaudeTranslation({ agent: "a", resumed: random.below(2) === 0 });
  const events: EventKind[] = [];
  const count = 1 + random.below(8);
  for (let i = 0; i < count; i++) translateLine(translation, anyLine(random), events);
  const faults = [...faultsOfOrder(events, translation), ...faultsOfBytes(events)];
  if (faults.length > 0) throw new Error(faults.join("; "));
  return count;
}

function anyLine(random: SeededRandom): Uint8Array {
  if (random.below(4) === 0) return random.bytes(random.below(60), TELLING);
  const mutations = Array.from({ length: random.below(4) }, () => ({
    kind: random.oneOf(MUTATION_KINDS),
    place: random.below(2 ** 31),
    value: random.oneOf(STRANGE_VALUES),
  }));
  return Buffer.from(mutateLine(random.oneOf(LINES), mutations));
}

const RUN_RULES = runTurnRules({ maxPromptBytes: 1000, maxAttachmentBytes: 1000 });
const PAGE_TOKENS = new PageTokens("turns", z.int());
const TOKENS = new Tokens(`sha256:${"0".repeat(64)} nobody`, "tokens");
const ID_CHARACTERS = [..."0123456789abcdefABCDEF-"];
const OTHER_CHARACTERS = [..."/.\0\n\r %-_:@{}=~gG", "..", "\ud800", "é", "𝄞"];

/** Ids, names, page tokens and credentials: what is no id is refused by its field's name, and nothing else is thrown. */
export function fuzzIds(random: SeededRandom): number {
  const id = anyId(random);
  const surface = random.below(4);
  if (surface === 0) fuzzRequest(id);
  else if (surface === 1) refusedFields(() => PAGE_TOKENS.decode("scope", id));
  else if (surface === 2) {
    if (tokenOwner(TOKENS, `Bearer ${id}`) !== undefined) throw new Error(`${id} let somebody in`);
  } else {
    const refused = refusedFields(() => validate(turnRules, { turnId: id }));
    if (refused !== (isUuid(id) ? "" : "turn_id")) throw new Error(`${show(id)}: ${show(refused)}`);
  }
  return 1;
}

/** An id in every field of the request that has most. */
function fuzzRequest(id: string): void {
  const ids = { sessionId: id, prompt: id, model: id, agent: id, requestId: id };
  const request = create(RunTurnRequestSchema, ids);
  const refused = refusedFields(() => validate(RUN_RULES, request)).split(",");
  for (const field of ["session_id", "request_id"]) {
    const isTaken = !refused.includes(field);
    if (isTaken !== (id === "" || isUuid(id))) throw new Error(`${show(id)}: ${show(refused)}`);
  }
}

const show = JSON.stringify;

function anyId(random: SeededRandom): string {
  const shape = random.below(4) === 0 ? [random.below(40)] : [8, 4, 4, 4, 12];
  const parts = shape.map((length) =>
    Array.from({ length }, () => random.oneOf(ID_CHARACTERS.slice(0, 22))).join(""),
  );
  let id = parts.join("-");
  for (let changes = random.below(3); changes > 0; changes--) {
    const at = random.below(id.length + 1);
    const what = random.below(3) === 0 ? "" : random.oneOf([...ID_CHARACTERS, ...OTHER_CHARACTERS]);
    id = id.slice(0, at) + what + id.slice(at + random.below(2));
  }
  return id;
}

function refusedFields(check: () => unknown): string {
  try {
    check();
    return "";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return (error.details.violations ?? []).map(({ field }) => field).join();
  }
}
