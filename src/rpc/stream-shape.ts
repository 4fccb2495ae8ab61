import { endStreamFlag, errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import type { Log } from "../log.ts";
import { ENVELOPE_BYTES, enveloped } from "./envelope.ts";
import { statusOf } from "./status.ts";
import type { WireFormat } from "./wire-format.ts";

/** What a stream ends with that somebody else began. */
export interface StreamEnd {
  /** Behind the last message that is whole. Empty: nothing. */
  readonly piece: Uint8Array;
  readonly trailers: Readonly<Record<string, string>>;
}

/** Follows a body to where its messages end. */
export interface Framing {
  /** How many bytes of a piece, which goes on where the last one ended, belong to messages that are whole. */
  wholeBytes(piece: Uint8Array): number;
}

/** How a stream is written, as far as it takes to end one. */
export interface StreamShape {
  /** Whether a response of that media type is such a stream. */
  is(mediaType: string): boolean;
  /** Whether it is whole: with its trailers, or with the last piece that `framing` met. */
  follow(): Framing;
  end(error: unknown): StreamEnd;
}

const NOTHING = new Uint8Array(0);

/** Streams of a protocol. */
export function protocolShape({ mediaType }: WireFormat, log: Log): StreamShape {
  const base = mediaType.split("+", 1)[0];
  return {
    is: (type) => type.startsWith("application/"),
    follow: () => new EnvelopeFraming(),
    end(error) {
      const status = statusOf(error, log);
      if (base === "application/connect") {
        const end = { error: errorToJson(status, undefined) };
        const piece = enveloped(Buffer.from(JSON.stringify(end)), endStreamFlag);
        return { piece, trailers: {} };
      }
      const trailers = new Headers();
      setTrailerStatus(trailers, status);
      if (base === "application/grpc") {
        return { piece: NOTHING, trailers: Object.fromEntries(trailers) };
      }
      return { piece: enveloped(trailerSerialize(trailers), trailerFlag), trailers: {} };
    },
  };
}

/** Messages in envelopes, whatever is in them. */
class EnvelopeFraming implements Framing {
  readonly #header = Buffer.alloc(ENVELOPE_BYTES);
  #headerBytes = 0;
  /** What of the message at hand is still to come. */
  #left = 0;

  wholeBytes(piece: Uint8Array): number {
    let at = 0;
    let whole = 0;
    while (at < piece.length) {
      if (this.#headerBytes < ENVELOPE_BYTES) {
        this.#header[this.#headerBytes++] = piece[at++]!;
        if (this.#headerBytes < ENVELOPE_BYTES) continue;
        this.#left = this.#header.readUInt32BE(1);
      }
      const taken = Math.min(this.#left, piece.length - at);
      this.#left -= taken;
      at += taken;
      if (this.#left > 0) continue;
      this.#headerBytes = 0;
      whole = at;
    }
    return whole;
  }
}
