const MIB = 1024 * 1024;

/**
 * What is on its way over one connection between replicas, of all streams. It says nothing of what is kept: Node gives it back
 * as bytes come, whether or not a stream's are read.
 */
export const CONNECTION_WINDOW_BYTES = 64 * MIB;
/** What is kept of a stream that is not read. */
const STREAM_WINDOW_BYTES = 128 * 1024;
/** All readers of one replica that are on another, and more. */
const MAX_STREAMS = 100_000;
/** What is heard of a replica after so long: else it is asked, and is gone where it says nothing for as long again. */
export const PEER_PING_MS = 2000;

/** Both ends of a connection between replicas, who trust each other not to flood: many clients share it. */
export const PEER_SESSION = {
  settings: {
    enablePush: false,
    initialWindowSize: STREAM_WINDOW_BYTES,
    maxConcurrentStreams: MAX_STREAMS,
  },
  peerMaxConcurrentStreams: MAX_STREAMS,
  /** In MB; at 10, which is Node's, streams are refused. */
  maxSessionMemory: 4000,
  maxSessionRejectedStreams: MAX_STREAMS,
  // Clients who leave reset their streams, and this connection has them all.
  streamResetBurst: 1_000_000,
  streamResetRate: 100_000,
} as const;
