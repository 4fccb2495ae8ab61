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
 * What a request's media type says, in whichever case it is written; undefined: it is none of ours.
 *
 * The only reading of that header: two that differ would take the same bytes for different things.
 */
export function wireFormatOf(contentType: string | null): WireFormat | undefined {
  const [type = "", ...parameters] = (contentType ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  return parameters.every((parameter) => /^charset="?utf-?8"?$/.test(parameter))
    ? FORMATS.get(type)
    : undefined;
}

function enveloped(mediaType: string, encodingHeader: string): WireFormat {
  return { mediaType, isJson: mediaType.endsWith("+json"), isEnveloped: true, encodingHeader };
}
