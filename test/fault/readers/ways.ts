/** One way to ask for a stream and to read its answer. */
export interface Way {
  readonly name: string;
  readonly http: 1 | 2;
  readonly contentType: string;
  readonly isJson: boolean;
}

/** Every protocol in every HTTP version that it exists in; most of them in binary, as clients do. */
export const WAYS: readonly Way[] = [
  way("gRPC, HTTP/2", 2, "application/grpc"),
  way("gRPC-Web, HTTP/1.1", 1, "application/grpc-web+proto"),
  way("gRPC-Web, HTTP/2", 2, "application/grpc-web+proto"),
  way("Connect, HTTP/1.1", 1, "application/connect+proto"),
  way("Connect, HTTP/2", 2, "application/connect+proto"),
  way("Connect in JSON, HTTP/1.1", 1, "application/connect+json"),
];

/** The way over an HTTP version that costs a reader least. */
export function plainWay(http: 1 | 2): Way {
  return WAYS.find((candidate) => candidate.http === http)!;
}

function way(name: string, http: 1 | 2, contentType: string): Way {
  return { name, http, contentType, isJson: contentType.endsWith("json") };
}
