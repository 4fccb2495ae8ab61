import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

/** The server that `npm run dev -w console` calls. */
const DEVELOPED_AGAINST = "http://127.0.0.1:7433";
/** What the service worker is made of. It imports nothing: it is a classic script. */
const WORKER = "src/server/worker/worker.ts";
/** Smaller files gain nothing. */
const COMPRESSED_BYTES = 1024;

export default defineConfig({
  plugins: [svelte(), finished()],
  // The client as it stands here, and not as it was built last.
  resolve: { conditions: ["breakglass-source", ...defaultClientConditions] },
  build: {
    target: "es2023",
    // Scripts and styles of their own, whatever their size: the server's policy lets none be inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: "index.html", worker: WORKER },
      output: {
        entryFileNames: ({ name }) => (name === "worker" ? "worker.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    proxy: {
      "/breakglass.v1.BreakglassService": {
        target: DEVELOPED_AGAINST,
        changeOrigin: true,
        // The server takes calls of pages of its own alone.
        headers: { origin: DEVELOPED_AGAINST },
      },
    },
  },
});

/** Once all is written, as it is then: whatever hook is earlier sees what others still change. */
function finished(): Plugin {
  return {
    name: "finished",
    apply: "build",
    writeBundle: {
      order: "post",
      sequential: true,
      handler({ dir = "dist" }, bundle) {
        const program = bundle["worker.js"];
        if (program?.type !== "chunk" || program.imports.length > 0 || program.exports.length > 0)
          throw new Error("the service worker is to be one file");
        tellWorker(dir);
        compress(dir);
      },
    },
  };
}

/** Tells the service worker what the build consists of: the paths and the digests of its files. */
function tellWorker(dir: string): void {
  const listed = filesIn(dir)
    .filter((name) => name !== "worker.js")
    .map((name) => ({
      path: name === "index.html" ? "/" : `/${name}`,
      integrity: `sha256-${digestOf(readFileSync(join(dir, name)))}`,
    }));
  const version = digestOf(Buffer.from(JSON.stringify(listed))).slice(0, 16);
  const build = `const CONSOLE_BUILD = ${JSON.stringify({ version, files: listed })};\n`;
  const path = join(dir, "worker.js");
  writeFileSync(path, build + readFileSync(path, "utf8"));
}

/** Writes each file of the build compressed too: the server compresses nothing itself. */
function compress(dir: string): void {
  for (const name of filesIn(dir)) {
    const path = join(dir, name);
    const content = readFileSync(path);
    if (content.length < COMPRESSED_BYTES) continue;
    writeFileSync(`${path}.br`, brotliCompressSync(content));
    writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  }
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();
}

function digestOf(content: Buffer): string {
  return createHash("sha256").update(content).digest("base64");
}
