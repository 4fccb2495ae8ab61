import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { SOURCE_CONDITION } from "./program.ts";

/** A web server on loopback, with an origin of its own, that serves one page with one script. */
export interface PageServer extends AsyncDisposable {
  /** The page's origin. */
  readonly origin: string;
}

/** Bundles a script for browsers, and serves it. */
export async function servePage(script: string): Promise<PageServer> {
  const { outputFiles } = await build({
    entryPoints: [script],
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    conditions: [SOURCE_CONDITION],
  });
  const bundle = outputFiles[0]!.text.replaceAll("</script", "<\\/script");
  const page = `<!doctype html><meta charset="utf-8"><script>${bundle}</script>`;
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
