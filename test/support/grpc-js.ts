import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** The service by gRPC's own client: nothing of it is Connect's. */
export class GrpcJsClient implements Disposable {
  readonly #client: Client;

  constructor(url: string) {
    this.#client = new Client(new URL(url).host, credentials.createInsecure());
  }

  /** Reads a stream to its end, each message as the bytes that came. Rejects with ServiceError. */
  readStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    request: MessageInitShape<I>,
  ): Promise<Buffer[]> {
    const stream = this.#client.makeServerStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => bytes,
      create(method.input, request),
    );
    return Array.fromAsync(stream as AsyncIterable<Buffer>);
  }

  /** Calls a unary method. Rejects with ServiceError. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
        (error, response) => (error ? reject(error) : resolve(response!)),
      );
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** The details of one type in `grpc-status-details-bin`. */
export function detailsOf<D extends DescMessage>(error: ServiceError, wanted: D) {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!(bytes instanceof Buffer)) throw new Error("there is no grpc-status-details-bin");
  return fromBinary(StatusSchema, bytes).details.flatMap((any) => anyUnpack(any, wanted) ?? []);
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
