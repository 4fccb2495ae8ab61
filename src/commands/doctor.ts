import { resolve } from "node:path";
import { readColorWanted } from "../config/environment.ts";
import { doctorOfMachine } from "./doctor-machine.ts";
import { ExitStatus } from "./exit-status.ts";
import { takeInterrupts } from "./interrupts.ts";
import { withModel } from "./model-package.ts";
import { openTerminal } from "./terminal.ts";

/** What is examined, and how it is told. */
export interface DoctorOptions {
  /** The CLI's executable; `true`: the one that is served with. Undefined: the machine is looked at, and not a CLI. */
  readonly agent?: string | true;
  readonly json?: boolean;
}

/** Tells what is wrong with the machine or, where it is asked about one, with a CLI. */
export async function doctor({ agent, json = false }: DoctorOptions): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const terminal = openTerminal(process.stdout, process.stderr, readColorWanted());
  try {
    if (agent === undefined) return await doctorOfMachine(interrupts, terminal, json);
    const { doctorOfAgent } = await withModel(() => import("./doctor-agent.ts"));
    const command = typeof agent === "string" ? pathOf(agent) : undefined;
    return await doctorOfAgent(command, interrupts, terminal, json);
  } catch (error) {
    if (interrupts.first.aborted) return ExitStatus.detached;
    throw error;
  }
}

/** A name without a slash is looked for on PATH. */
function pathOf(agent: string): string {
  return agent.includes("/") ? resolve(agent) : agent;
}
