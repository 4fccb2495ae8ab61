import { LEASE } from "../../postgres/several-servers.ts";
import { connect, type TestClient } from "../../support/protocols.ts";
import { type FaultServer, startFaultServer } from "../fault-server.ts";
import { createGround, type Ground } from "../ground.ts";
import { killAll, processesNaming } from "../survivors.ts";

/** What is held against `BREAKGLASS_LEASE_SECONDS`. */
export const LEASE_MS = Number(LEASE.BREAKGLASS_LEASE_SECONDS) * 1000;

/** One of several servers on a database: a disk, and the process that is on it now. */
export class FaultReplica implements AsyncDisposable {
  readonly ground: Ground;
  #server: FaultServer;
  #connection: TestClient;

  constructor(ground: Ground, server: FaultServer) {
    this.ground = ground;
    this.#server = server;
    this.#connection = connect(server.url);
  }

  /** @param store - The address of its database. */
  static async start(
    store: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<FaultReplica> {
    const ground = await createGround({ BREAKGLASS_STORE: store, ...LEASE, ...settings });
    return new FaultReplica(ground, await startFaultServer(ground));
  }

  get url(): string {
    return this.#server.url;
  }

  get client(): TestClient["client"] {
    return this.#connection.client;
  }

  /** Its agents that live, and what they started; also those that outlive it. */
  get agents(): number[] {
    return processesNaming(this.ground.root);
  }

  /** Ends it without its help. Its agents see their stdin end. */
  async kill(): Promise<void> {
    this.#connection[Symbol.dispose]();
    await this.#server.end("SIGKILL");
  }

  /** Resolves when it has ended by itself, with its exit status. */
  ended(): Promise<number | null> {
    return this.#server.exited;
  }

  /** Starts another one on its disk. It has ended. Answers how long that took, in milliseconds. */
  async again(): Promise<number> {
    this.#server = await startFaultServer(this.ground);
    this.#connection = connect(this.#server.url);
    return this.#server.upMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    killAll(this.agents);
    await this.ground[Symbol.asyncDispose]();
  }
}
