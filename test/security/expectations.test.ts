import { connect as connectHttp2 } from "node:http2";
import { expect, it } from "vitest";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { makeCertificate } from "./certificate.ts";
import { RawClient } from "./raw-client.ts";
import { fields, frame, PREFACE, pathOf } from "./raw-requests.ts";

const JSON_CALL = { "content-type": "application/json", expect: "100-continue" };
const CODES = { NO_ERROR: 0, REFUSED_STREAM: 7, CANCEL: 8 };

/** What a client says that asks to be told to go on, and is gone before it could be: all in one piece. */
function resetAtOnce(url: string, code: number): Buffer {
  const { host, protocol } = new URL(url);
  const pseudo = {
    ":method": "POST",
    ":scheme": protocol.slice(0, -1),
    ":path": pathOf("ListSessions"),
    ":authority": host,
  };
  return Buffer.concat([
    PREFACE,
    frame(0x1, 0x4, 1, fields({ ...pseudo, ...JSON_CALL })),
    frame(0x3, 0, 1, Buffer.of(0, 0, 0, code)),
  ]);
}

/** Answers the statuses that such a client is told, the last one with the answer. */
async function askedToGoOn(url: string): Promise<(number | undefined)[]> {
  const session = connectHttp2(url, { rejectUnauthorized: false }).on("error", () => {});
  const told: (number | undefined)[] = [];
  const asked = session.request({
    ...{ ":method": "POST", ":path": pathOf("ListSessions") },
    ...JSON_CALL,
  });
  asked.once("continue", () => {
    told.push(100);
    asked.end("{}");
  });
  asked.once("response", (headers) => told.push(headers[":status"]));
  await new Promise((resolve, reject) =>
    asked.once("close", resolve).once("error", reject).resume(),
  );
  session.destroy();
  return told;
}

it.each([false, true])(
  "a request of HTTP/2 that expects to be told to go on, and is reset in the same piece, ends no server (TLS: %s)",
  async (isTls) => {
    await using environment = await createTestEnvironment();
    const tls = isTls ? makeCertificate(environment.root) : {};
    await using server = await startServeProcess({ ...environment.variables, ...tls });
    for (const code of Object.values(CODES)) {
      using client = await RawClient.open(server.url, isTls ? { alpn: ["h2"] } : {});
      await client.write([resetAtOnce(server.url, code)]);
      expect(await askedToGoOn(server.url)).toEqual([100, 200]);
    }
  },
);
