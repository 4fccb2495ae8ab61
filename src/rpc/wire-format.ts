import { MIMEType } from "node:util";

/** How a request is written, as its media type tells. */
export interface WireFormat {
  /** In lower case and without parameters. */
  readonly mediaType: string;
  readonly isJson: boolean;
  /** Whether its messages stand in envelopes; else its body is one message. */
  readonly isEnveloped: boolean;
  /** The header that names what its messages are compressed with. */
  readonly encodingHeader: string;
}

const PROTOCOLS = {
  "application/grpc": "grpc-encoding",
  "application/grpc-web": "grpc-encoding",
  "application/connect": "connect-content-encoding",
};

const FORMATS: ReadonlyMap<string, WireFormat> = new Map(
  [
    ...Object.entries(PROTOCOLS).flatMap(([type, header]) => [
      enveloped(`${type}+proto`, header),
      enveloped(`${type}+json`, header),
    ]),
    enveloped("application/grpc", "grpc-encoding"),
    enveloped("application/grpc-web", "grpc-encoding"),
    { ...enveloped("application/proto", "content-encoding"), isEnveloped: false },
    { ...enveloped("application/json", "content-encoding"), isEnveloped: false, isJson: true },
  ].map((format) => [format.mediaType, format]),
);

/**
 * What a request's media type says, in whichever case it is written and with whatever parameters (RFC 9110, 8.3.1);
 * undefined: it is none of ours, or its text is not UTF-8.
 *
 * The only reading of that header: two that differ would take the same bytes for different things.
 */
export function wireFormatOf(contentType: string | null): WireFormat | undefined {
  const type = parsed(contentType ?? "");
  const charset = type?.params.get("charset") ?? "utf-8";
  return type !== undefined && /^utf-?8$/i.test(charset) ? FORMATS.get(type.essence) : undefined;
}

/** Undefined: it is no media type. */
function parsed(contentType: string): MIMEType | undefined {
  try {
    return new MIMEType(contentType);
  } catch {
    return undefined;
  }
}

function enveloped(mediaType: string, encodingHeader: string): WireFormat {
  return { mediaType, isJson: mediaType.endsWith("+json"), isEnveloped: true, encodingHeader };
}
