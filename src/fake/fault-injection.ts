import { constants, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { HttpRequest, HttpResponse, RequestListener } from "../edge/http.ts";
import type { Log } from "../log.ts";
import type { Admission, Admissions } from "../rpc/admission.ts";
import { respondEmpty } from "../rpc/respond.ts";
import type { Interposed } from "../server/listening.ts";
import type { CallFault, ConnectionFault, PlannedFault } from "./faults.ts";
import { silence, slowDown } from "./muffled-response.ts";
import { refusalFor } from "./refusals.ts";

const SERVICE = "/breakglass.v1.BreakglassService/";
const STREAMS = ["RunTurn", "AttachTurn", "WatchSession", "WatchTurns", "ExportAudit"];

/** Who hears of faults. */
export interface FaultListener {
  /** Somebody asked for a stream. */
  streamBegan(): void;
  /** A fault happened, once. */
  happened(planned: PlannedFault): void;
}

type Channel = ServerHttp2Session | Socket;

/**
 * Has a server fail as is asked, between its listener and what answers.
 *
 * 1. A fault that is to happen so many times is counted when it happens, not when it is planned.
 * 2. Calls alone fail, of the service and below `/v1/`: health and reflection tell what is.
 */
export class FaultInjection implements Interposed {
  readonly #log: Log;
  readonly #listener: FaultListener;
  readonly #onConnection: PlannedFault<ConnectionFault>[] = [];
  readonly #onCall: PlannedFault<CallFault>[] = [];
  readonly #channels = new Set<Channel>();
  readonly #streams = new Set<HttpResponse>();
  readonly #silent = new Set<HttpResponse>();

  constructor(log: Log, listener: FaultListener) {
    this.#log = log;
    this.#listener = listener;
  }

  /** It has nothing that is worth a secret, on whichever system. */
  readonly trustsEveryone = true;

  /** Plans faults beside those that are planned. Those of the server are not for here. */
  plan(faults: readonly PlannedFault[]): void {
    for (const planned of faults) {
      const { kind } = planned.fault;
      if (kind === "cut" || kind === "stall" || kind === "goaway" || kind === "calm") {
        this.#onConnection.push(planned as PlannedFault<ConnectionFault>);
      } else if (
        kind === "refuse" ||
        kind === "http" ||
        kind === "slow" ||
        kind === "no-retry-info"
      ) {
        this.#onCall.push(planned as PlannedFault<CallFault>);
      }
    }
  }

  /** Plans nothing any more. What has happened stays: a stream that is silent stays so. */
  clear(): void {
    this.#onConnection.length = 0;
    this.#onCall.length = 0;
  }

  /** Ends the streams that are silent: a server that goes away would wait for their clients to leave. */
  release(): void {
    for (const response of this.#silent) {
      if ("stream" in response) response.stream.destroy();
      else response.socket?.destroy();
    }
  }

  /** Has a fault happen now to all connections or streams; answers to how many. */
  now(kind: ConnectionFault["kind"]): number {
    const targets = kind === "stall" ? [...this.#streams] : [...this.#channels];
    for (const target of targets) this.#happen(kind, target);
    return targets.length;
  }

  listener(answer: RequestListener): RequestListener {
    return (request, response, admitted) => {
      const call = callOf(request);
      if (call === undefined) return answer(request, response, admitted);
      this.#watch(request);
      if (this.#answerWithStatus(request, response)) return;
      for (const { fault } of this.#onCall) {
        if (fault.kind === "slow") slowDown(response, fault.bytesPerSecond);
      }
      if (call.isStream) this.#watchStream(response);
      answer(request, response, admitted);
    };
  }

  admissions(admissionOf: Admissions): Admissions {
    return (request, stranger) => {
      const admission = admissionOf(request, stranger);
      return admission instanceof Promise
        ? admission.then((found) => this.#admissionOf(request, found))
        : this.#admissionOf(request, admission);
    };
  }

  #admissionOf(request: HttpRequest, admission: Admission): Admission {
    const call = callOf(request);
    if (call === undefined || !("caller" in admission)) return admission;
    const planned = this.#onCall.find(({ fault, left }) => {
      if (fault.kind !== "refuse" || left <= 0) return false;
      return fault.method === undefined || fault.method === call.method;
    });
    if (planned?.fault.kind !== "refuse") return admission;
    this.#count(planned);
    const isBare = this.#onCall.some(({ fault }) => fault.kind === "no-retry-info");
    const { reason } = planned.fault;
    this.#log.info("a fault refuses a call", { reason, method: call.method });
    return { refusal: refusalFor(reason, !isBare) };
  }

  // 1.
  #count(planned: PlannedFault): void {
    planned.left--;
    this.#listener.happened(planned);
  }

  /** Nobody is told why, as where a proxy in between answers. */
  #answerWithStatus(request: HttpRequest, response: HttpResponse): boolean {
    const planned = this.#onCall.find(({ fault, left }) => fault.kind === "http" && left > 0);
    if (planned?.fault.kind !== "http") return false;
    this.#count(planned);
    const { status } = planned.fault;
    this.#log.info("a fault answers a call", { status });
    response.on("error", () => {});
    void respondEmpty(status, request, response);
    return true;
  }

  #watch(request: HttpRequest): void {
    const channel = "stream" in request ? request.stream.session : request.socket;
    if (channel === undefined || this.#channels.has(channel as Channel)) return;
    this.#channels.add(channel as Channel);
    const ended = new AbortController();
    channel.once("close", () => {
      this.#channels.delete(channel as Channel);
      ended.abort();
    });
    this.#schedule(["cut", "goaway", "calm"], channel as Channel, ended.signal);
  }

  #watchStream(response: HttpResponse): void {
    this.#listener.streamBegan();
    this.#streams.add(response);
    const ended = new AbortController();
    response.once("close", () => {
      this.#streams.delete(response);
      this.#silent.delete(response);
      ended.abort();
    });
    this.#schedule(["stall"], response, ended.signal);
  }

  #schedule(
    kinds: readonly ConnectionFault["kind"][],
    target: Channel | HttpResponse,
    ended: AbortSignal,
  ): void {
    for (const planned of this.#onConnection) {
      const { kind, afterMs } = planned.fault;
      if (!kinds.includes(kind) || planned.left <= 0) continue;
      const happen = () => {
        if (planned.left <= 0 || !this.#onConnection.includes(planned)) return;
        this.#count(planned);
        this.#happen(kind, target);
      };
      if (afterMs === 0 && kind === "stall") happen();
      else {
        const timer = setTimeout(happen, afterMs);
        ended.addEventListener("abort", () => clearTimeout(timer), { once: true });
      }
    }
  }

  #happen(kind: ConnectionFault["kind"], target: Channel | HttpResponse): void {
    this.#log.info("a fault happens", { fault: kind });
    if (kind === "stall") {
      this.#streams.delete(target as HttpResponse);
      this.#silent.add(target as HttpResponse);
      silence(target as HttpResponse);
      return;
    }
    const channel = target as Channel;
    if (kind === "cut") cut(channel);
    else if (!("goaway" in channel)) channel.destroySoon();
    else if (kind === "goaway") channel.close();
    // Without an error Node says NO_ERROR, whatever code it is given.
    else channel.destroy(new Error("a fault"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** A reset: what the client has not read by then is lost, as where a machine in between goes away. */
function cut(channel: Channel): void {
  // A session lets nobody destroy its socket, but reset it.
  const socket = "goaway" in channel ? channel.socket : channel;
  if (!("encrypted" in socket)) socket.resetAndDestroy();
  else channel.destroy();
}

function callOf(request: HttpRequest): { method: string; isStream: boolean } | undefined {
  if (request.method === "OPTIONS") return undefined;
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  // What plain HTTP has of the methods.
  if (path === "/v1/turns") return { method: "RunTurn", isStream: true };
  if (path.startsWith("/v1/")) return { method: "AttachTurn", isStream: true };
  if (!path.startsWith(SERVICE)) return undefined;
  const method = path.slice(SERVICE.length);
  return { method, isStream: STREAMS.includes(method) };
}
