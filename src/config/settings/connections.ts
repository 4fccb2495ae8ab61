import { address, bytes, choice, hosts, origins, path, seconds, whole } from "../kinds.ts";
import { MIB } from "../quantity.ts";
import type { Settings } from "../setting.ts";

/** Who reaches the server, and what connections and their readers may hold. */
export const CONNECTION_SETTINGS = {
  listen: {
    variable: "BREAKGLASS_LISTEN",
    kind: address,
    default: "127.0.0.1:7433",
    does: "The address and the port to serve on. An address beyond loopback needs something by which people are told, such as `BREAKGLASS_TOKENS_FILE`.",
  },
  tlsCert: {
    variable: "BREAKGLASS_TLS_CERT",
    kind: path("the path of a PEM file"),
    unset: "none: cleartext",
    does: "The server's certificate, with its chain. It takes `BREAKGLASS_TLS_KEY` too. HTTP/1.1 and HTTP/2 share the port, with TLS and without.",
  },
  tlsKey: {
    variable: "BREAKGLASS_TLS_KEY",
    kind: path("the path of a PEM file"),
    unset: "none: cleartext",
    does: "The certificate's private key. Others than the server's user and group must not be able to read the file.",
  },
  plaintext: {
    variable: "BREAKGLASS_PLAINTEXT",
    kind: choice("loopback", "anywhere"),
    default: "loopback",
    does: "Where the server may be reached without TLS. `anywhere` is for a network that nobody else reads, or a proxy before it that speaks TLS: tokens, prompts and outputs cross it in the clear.",
  },
  tokensFile: {
    variable: "BREAKGLASS_TOKENS_FILE",
    kind: path("the path of a file"),
    unset: "none: everyone is `local`",
    does: "The tokens that are accepted, a line each: `sha256:HEX PRINCIPAL`, and `roles=…` and `expires=…` where they are wanted. It is read again when it changes.",
  },
  allowedOrigins: {
    variable: "BREAKGLASS_ALLOWED_ORIGINS",
    kind: origins,
    default: "",
    does: "Exact origins of pages that may call the server, beside its own.",
  },
  allowedHosts: {
    variable: "BREAKGLASS_ALLOWED_HOSTS",
    kind: hosts,
    default: "",
    does: "Names by which clients may call the server, beside its addresses: with a port exactly that, without one any. What a server on loopback is called through a tunnel (`localhost:9000`) needs no name here.",
  },
  maxConnections: {
    variable: "BREAKGLASS_MAX_CONNECTIONS",
    kind: whole(1, 1_000_000),
    default: "16384",
    does: "How many connections may be open; further ones are closed. A quarter is for those without an admitted request, a half for one peer.",
  },
  pingMs: {
    variable: "BREAKGLASS_PING_SECONDS",
    kind: seconds(1, 3600),
    default: "20",
    does: "How long a peer may be silent before it is asked for a sign of life. One that answers nothing for as long again is gone.",
  },
  readerStallMs: {
    variable: "BREAKGLASS_READER_STALL_SECONDS",
    kind: seconds(1, 3600),
    default: "30",
    does: "How long a stream's reader may take nothing while something waits for it. Then the stream ends with `STREAM_ENDED`, and as long again later it is reset.",
  },
  maxStalledBytes: {
    variable: "BREAKGLASS_MAX_STALLED_BYTES",
    kind: bytes(MIB, 2 ** 40),
    default: String(64 * MIB),
    does: "What all readers that take nothing may hold together. Beyond it the longest stalled are reset.",
  },
  maxSubscriptions: {
    variable: "BREAKGLASS_MAX_SUBSCRIPTIONS",
    kind: whole(1, 1_000_000),
    default: "20000",
    does: "How many streams may be open: `TOO_MANY_SUBSCRIPTIONS`.",
  },
  maxTurnSubscriptions: {
    variable: "BREAKGLASS_MAX_TURN_SUBSCRIPTIONS",
    kind: whole(1, 1_000_000),
    default: "12000",
    does: "How many streams of one turn may be open: `TOO_MANY_SUBSCRIPTIONS`.",
  },
} as const satisfies Settings;
