import { request as requestHttp } from "node:http";
import { connect } from "node:http2";
import { request as requestTls } from "node:https";
import { buffer } from "node:stream/consumers";

/** What a server answered with, byte for byte. */
export interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** A way to ask a server for a path. */
export type AskPage = (
  url: string,
  path: string,
  headers?: Readonly<Record<string, string>>,
  method?: string,
) => Promise<Page>;

/** Over HTTP/1.1, in clear text, over TLS or over a socket in the file system (`unix:PATH`). The path goes out as it is. */
export const overHttp1: AskPage = (url, path, headers = {}, method = "GET") => {
  const { protocol, hostname, port, pathname } = new URL(url);
  const isUnix = protocol === "unix:";
  const way = isUnix ? { socketPath: pathname, headers: { host: "localhost", ...headers } } : {};
  const options = { hostname, port, path, method, headers, agent: false, ...way };
  const request = protocol === "https:" ? requestTls : requestHttp;
  return new Promise((resolve, reject) => {
    request({ ...options, rejectUnauthorized: false }, (response) => {
      const { statusCode = 0, headers } = response;
      buffer(response).then((body) => resolve({ status: statusCode, headers, body }), reject);
    })
      .on("error", reject)
      .end();
  });
};

/** Over HTTP/2, in clear text or over TLS. */
export const overHttp2: AskPage = async (url, path, headers = {}, method = "GET") => {
  const session = connect(url, { rejectUnauthorized: false });
  try {
    const { host, ...others } = headers;
    const authority = host === undefined ? {} : { ":authority": host };
    const stream = session.request({ ":path": path, ":method": method, ...authority, ...others });
    const answered = new Promise<Page["headers"]>((resolve, reject) => {
      session.on("error", reject);
      stream.on("error", reject).on("response", resolve);
    });
    const told = await answered;
    return { status: Number(told[":status"]), headers: told, body: await buffer(stream) };
  } finally {
    session.close();
  }
};
