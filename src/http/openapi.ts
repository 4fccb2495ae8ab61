import { openApiSchemas, refTo, type Schema } from "./openapi-schemas.ts";
import { STREAM_TYPES } from "./stream-format.ts";

const stream = {
  description:
    "The turn's events, from its first or from after the sequence that was asked for, to its terminal event. Each is on disk before it is sent. The stream begins with a `checkpoint`, has another where its reader has caught up, and says something within 15 s: a `checkpoint`, or a comment.",
  headers: {
    "Content-Location": {
      description: "Where the turn's events are read again.",
      schema: { type: "string" },
    },
  },
  content: Object.fromEntries(STREAM_TYPES.map((type) => [type, { schema: refTo("Event") }])),
};

const PROBLEMS: Readonly<Record<string, string>> = {
  400: "Something of the request is to be mended; `violations` name what.",
  401: "The request carries no bearer token that the server knows.",
  403: "The Host or the Origin is not allowed, or the permission mode.",
  404: "There is no such turn of this caller.",
  405: "Another method is needed: see `Allow`.",
  406: "`Accept` has neither media type.",
  408: "The body did not end in time. Nothing was started.",
  409: "The session has a turn that runs, is full, or `request_id` was used for something else.",
  413: "The body is too large.",
  415: "The body is no JSON by its headers.",
  429: "Too many turns, readers or requests; `Retry-After` says when to come again, where it is known.",
  500: "Something on record is damaged, or the server has a defect.",
  503: "The server shuts down, or its store takes no writes: see `Retry-After`.",
};

/** The document that describes plain HTTP: OpenAPI 3.1. */
export function openApiDocument(): Schema {
  return {
    openapi: "3.1.1",
    info: {
      title: "breakglass over plain HTTP",
      version: "v1",
      summary: "Turns of an agent as lines of JSON or as server-sent events.",
      description:
        "For curl, EventSource and scripts. Everything else is done over gRPC, gRPC-Web and Connect, on the same port.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The server that this document is of." }],
    // Where the server knows no tokens everyone is `local`, and needs none.
    security: [{ bearer: [] }, {}],
    paths: {
      "/v1/turns": { post: runTurn },
      "/v1/turns/{turn_id}/events": { get: attachTurn },
      "/openapi.json": { get: describe },
      "/healthz": { get: health },
      "/readyz": { get: readiness },
    },
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: openApiSchemas(),
      responses: Object.fromEntries(
        Object.entries(PROBLEMS).map(([status, description]) => [
          `Problem${status}`,
          problem(description),
        ]),
      ),
    },
  };
}

const runTurn: Schema = {
  operationId: "runTurn",
  summary: "Starts a turn, or joins the one that its request_id started before, and streams it.",
  requestBody: {
    required: true,
    content: { "application/json": { schema: refTo("RunTurnRequest") } },
  },
  responses: {
    200: stream,
    ...problems(400, 401, 403, 405, 406, 408, 409, 413, 415, 429, 500, 503),
  },
};

const attachTurn: Schema = {
  operationId: "attachTurn",
  summary: "Streams a turn, running or ended.",
  parameters: [
    {
      name: "turn_id",
      in: "path",
      required: true,
      schema: { type: "string", format: "uuid" },
    },
    parameter("query", "after_sequence", "Only events after this sequence.", {
      type: "integer",
      minimum: 0,
      maximum: 2 ** 32 - 1,
      default: 0,
    }),
    parameter("query", "text_deltas", "Also text as it is written.", {
      type: "boolean",
      default: false,
    }),
    parameter("header", "Last-Event-ID", "As `after_sequence`, which it is in force before.", {
      type: "integer",
      minimum: 0,
      maximum: 2 ** 32 - 1,
    }),
  ],
  responses: {
    200: stream,
    204: { description: "To `Last-Event-ID`: the turn has ended, and there is no more." },
    ...problems(400, 401, 403, 404, 405, 406, 429, 500, 503),
  },
};

const health: Schema = {
  operationId: "health",
  summary: "Whether the process answers. For probes: no token, whatever the Host.",
  security: [],
  responses: {
    200: {
      description: "It does.",
      content: { "application/json": { schema: refTo("Health") } },
    },
    ...problems(405),
  },
};

const readiness: Schema = {
  operationId: "readiness",
  summary: "Whether the server can run a turn, and what is in the way. For probes, as /healthz.",
  security: [],
  responses: {
    200: {
      description: "It can.",
      content: { "application/json": { schema: refTo("Readiness") } },
    },
    503: {
      description: "It cannot.",
      content: { "application/json": { schema: refTo("Readiness") } },
    },
    ...problems(405),
  },
};

const describe: Schema = {
  operationId: "describe",
  summary: "This document.",
  security: [],
  responses: {
    200: {
      description: "OpenAPI 3.1.",
      content: { "application/json": { schema: { type: "object" } } },
    },
    ...problems(403, 405),
  },
};

function parameter(place: string, name: string, description: string, schema: Schema): Schema {
  return { name, in: place, required: false, description, schema };
}

function problems(...statuses: number[]): Schema {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]),
  );
}

function problem(description: string): Schema {
  return { description, content: { "application/problem+json": { schema: refTo("Problem") } } };
}
