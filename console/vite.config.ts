import { brotliCompressSync, gzipSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

/** The server that `npm run dev -w console` calls. */
const DEVELOPED_AGAINST = "http://127.0.0.1:7433";
/** Smaller files gain nothing. */
const COMPRESSED_BYTES = 1024;

export default defineConfig({
  plugins: [svelte(), compressed()],
  // The client as it stands here, and not as it was built last.
  resolve: { conditions: ["breakglass-source", ...defaultClientConditions] },
  build: {
    target: "es2023",
    // Scripts and styles of their own, whatever their size: the server's policy lets none be inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/breakglass.v1.BreakglassService": { target: DEVELOPED_AGAINST, changeOrigin: true },
    },
  },
});

/** Writes each file of the build compressed too: the server compresses nothing itself. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    generateBundle: {
      // After Vite has written into scripts which files they load later.
      order: "post",
      handler(_options, bundle) {
        for (const [fileName, file] of Object.entries(bundle)) {
          const content = Buffer.from(file.type === "chunk" ? file.code : file.source);
          if (content.length < COMPRESSED_BYTES) continue;
          this.emitFile({
            type: "asset",
            fileName: `${fileName}.br`,
            source: brotliCompressSync(content),
          });
          this.emitFile({
            type: "asset",
            fileName: `${fileName}.gz`,
            source: gzipSync(content, { level: 9 }),
          });
        }
      },
    },
  };
}
