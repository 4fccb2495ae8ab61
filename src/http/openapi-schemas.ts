import type { DescMessage } from "@bufbuild/protobuf";
import { PermissionModeSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { CHECK_NAMES } from "../health/readiness.ts";
import { FLAT_KINDS, type FlatKind } from "./flat-event.ts";
import { type FlatMember, type FlatShape, membersOf, spokenName } from "./flat-members.ts";
import { REASONS } from "./problem.ts";

/** A schema of JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

const uuid = { type: "string", format: "uuid" };
const sequence = { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 };
const text = { type: "string" };

/** The schemas that the document's paths refer to; those of events are made of the proto. */
export function openApiSchemas(): Record<string, Schema> {
  return {
    RunTurnRequest: runTurnRequest,
    Attachment: attachment,
    Problem: problem,
    Health: health,
    Readiness: readiness,
    ...eventSchemas(),
  };
}

/** A reference to a schema. */
export function refTo(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

const runTurnRequest: Schema = {
  type: "object",
  description:
    "A `breakglass.v1.RunTurnRequest` in JSON; its members are also taken in lowerCamelCase. Members that are not known are refused.",
  required: ["prompt"],
  properties: {
    session_id: { ...uuid, description: "Empty: a new session." },
    prompt: { ...text, minLength: 1 },
    model: text,
    agent: text,
    request_id: { ...uuid, description: "Makes the start safe to repeat." },
    timeout: { ...text, pattern: "^[0-9]+(\\.[0-9]{1,9})?s$", examples: ["600s"] },
    text_deltas: { type: "boolean", default: false },
    permission_mode: { enum: PermissionModeSchema.values.map(({ name }) => name) },
    attachments: { type: "array", maxItems: 20, items: refTo("Attachment") },
  },
};

const attachment: Schema = {
  type: "object",
  required: ["name", "media_type"],
  properties: {
    name: { ...text, description: "A file's name without a path; at most 255 bytes." },
    media_type: { ...text, examples: ["text/plain"] },
    data: { ...text, contentEncoding: "base64" },
  },
};

const problem: Schema = {
  type: "object",
  description: "A problem detail (RFC 9457).",
  required: ["type", "title", "status", "detail"],
  properties: {
    type: { ...text, format: "uri-reference" },
    title: text,
    status: { type: "integer" },
    detail: { ...text, description: "For people: what is wrong, and what would be right." },
    reason: { description: "Why, as over RPC.", enum: [...REASONS] },
    metadata: { type: "object", additionalProperties: text },
    violations: {
      type: "array",
      items: {
        type: "object",
        required: ["field", "description"],
        properties: { field: text, description: text },
      },
    },
    retry_after_ms: { type: "integer", description: "When trying again makes sense." },
  },
};

const health: Schema = {
  type: "object",
  required: ["status"],
  properties: { status: { const: "ok" } },
};

const readiness: Schema = {
  type: "object",
  required: ["ready", "checks"],
  properties: {
    ready: { type: "boolean" },
    checks: {
      type: "array",
      items: {
        type: "object",
        required: ["name", "ok"],
        properties: {
          name: { enum: [...CHECK_NAMES] },
          ok: { type: "boolean" },
          problem: { ...text, description: "For callers who are admitted." },
          warning: {
            ...text,
            description:
              "What is not well, and in the way of no turn; for callers who are admitted.",
          },
          mend: { ...text, description: "What to do about it; for callers who are admitted." },
        },
      },
    },
  },
};

function eventSchemas(): Record<string, Schema> {
  const kinds = FLAT_KINDS;
  const nested: Record<string, Schema> = {};
  const own = kinds.map((kind) => [schemaName(kind.name), kindSchema(kind, nested)] as const);
  const names = [...kinds.map(({ name }) => name), "problem"];
  const mapping = Object.fromEntries(
    names.map((name) => [name, refTo(schemaName(name)).$ref] as const),
  );
  return {
    Event: {
      description:
        "A line of a stream. There may be kinds that are not named here: readers skip them. `problem` says why a stream ends before its turn.",
      oneOf: names.map((name) => refTo(schemaName(name))),
      discriminator: { propertyName: "kind", mapping },
    },
    ...Object.fromEntries(own),
    ProblemEvent: {
      allOf: [
        {
          type: "object",
          required: ["kind", "turn_id", "session_id"],
          properties: { kind: { const: "problem" }, turn_id: uuid, session_id: uuid },
        },
        refTo("Problem"),
      ],
    },
    ...nested,
  };
}

function kindSchema({ name, members }: FlatKind, nested: Record<string, Schema>): Schema {
  const all = objectSchema(members, nested);
  return {
    type: "object",
    required: ["kind", "sequence", "turn_id", "session_id", "create_time", ...all.required],
    properties: {
      kind: { const: name },
      sequence,
      turn_id: uuid,
      session_id: uuid,
      create_time: { ...text, format: "date-time" },
      ...all.properties,
    },
  };
}

function objectSchema(members: readonly FlatMember[], nested: Record<string, Schema>) {
  return {
    type: "object",
    required: members.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    properties: Object.fromEntries(
      members.map(({ name, shape }) => [name, shapeSchema(shape, nested)]),
    ),
  };
}

function shapeSchema(shape: FlatShape, nested: Record<string, Schema>): Schema {
  switch (shape.is) {
    case "json":
      return { description: "JSON as it was written, to the digit." };
    case "time":
      return { ...text, format: "date-time" };
    case "milliseconds":
      return { type: "number" };
    case "enum": {
      const { values } = shape;
      return { enum: values.values.slice(1).map(({ number }) => spokenName(values, number)) };
    }
    case "object":
      return nestedSchema(shape.message, nested);
    case "list":
      return { type: "array", items: nestedSchema(shape.message, nested) };
    default:
      return { type: shape.is };
  }
}

function nestedSchema(desc: DescMessage, nested: Record<string, Schema>): Schema {
  nested[desc.name] ??= objectSchema(membersOf(desc), nested);
  return refTo(desc.name);
}

function schemaName(kind: string): string {
  const words = kind.split("_").map((word) => word[0]!.toUpperCase() + word.slice(1));
  return `${words.join("")}Event`;
}
