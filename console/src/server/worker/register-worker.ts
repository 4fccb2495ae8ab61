const WORKER = "/worker.js";

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string };
}

/** Has the browser keep a copy of the page, for when the server is away. Without it the page works all the same. */
export function registerWorker(): void {
  if (navigator.serviceWorker === undefined) return;
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  const policy = trustedTypes?.createPolicy("breakglass-worker", {
    createScriptURL(url) {
      if (url !== WORKER) throw new TypeError("there is one worker");
      return url;
    },
  });
  const url = policy?.createScriptURL(WORKER) ?? WORKER;
  navigator.serviceWorker.register(url, { updateViaCache: "none" }).catch(() => {});
}
