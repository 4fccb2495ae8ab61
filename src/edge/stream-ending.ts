/** Why the server ends a stream whose turn may go on; the reason of its signal. */
export class StreamEnding extends Error {
  override readonly name = "StreamEnding";
}

/** Nobody reads the response any more; the reason of its signal. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";

  constructor() {
    super("the client went away");
  }
}
