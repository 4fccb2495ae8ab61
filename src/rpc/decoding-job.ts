import type { Message } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors.ts";
import type { ReceivedMessage } from "./decode-message.ts";

/** A message to be read by the decoding thread, which its memory is given to. */
export interface DecodingJob extends Omit<ReceivedMessage, "bytes"> {
  /** A method of the thread's service, by the name that the generated code has for it. */
  readonly method: string;
  readonly segments: readonly Uint8Array[];
}

/** What became of it. */
export type DecodingAnswer =
  | { readonly message: Message }
  | {
      readonly refusal: {
        readonly message: string;
        readonly violations: readonly FieldViolation[] | undefined;
      };
    }
  | { readonly tooLarge: true }
  | { readonly defect: unknown };
