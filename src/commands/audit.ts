import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import type { BreakglassClient } from "#client";
import {
  ChainCheck,
  ChainFault,
  type CheckedAgainst,
  type CheckedChain,
} from "../audit/chain-check.ts";
import { fileLines, readChainFile } from "../audit/chain-lines.ts";
import { type AuditHead, findHead, rawKey } from "../audit/head.ts";
import { publicPem, readKey } from "../audit/key-file.ts";
import { readServeConfig } from "../config/serve-config.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { takeInterrupts } from "./interrupts.ts";
import { openTerminal } from "./terminal.ts";
import { oneLine, type Printable, print, terminalJson } from "./terminal-text.ts";
import { UsageError } from "./usage-error.ts";

/** What `audit` can do. */
export type AuditAction = "tail" | "export" | "verify" | "key";

/** What `audit` takes. */
export interface AuditOptions extends ServerOptions {
  /** With `export`: only records after this sequence. With `tail`: so many of the newest come first. */
  readonly after?: bigint;
  readonly limit?: number;
  /** With `verify`: files of heads that were kept elsewhere. */
  readonly head?: readonly string[];
  /** With `verify`: the files of the public keys, the oldest first. */
  readonly key?: readonly string[];
}

const TAIL = 10;
const LINE_CHARACTERS = 1000;

/** Prints the server's audit, follows it, checks a chain, or prints the key that heads are signed with. */
export async function audit(
  action: AuditAction,
  file: string | undefined,
  options: AuditOptions,
): Promise<ExitStatus> {
  if (file !== undefined && action !== "verify") {
    throw new UsageError(`audit ${action} takes no file`);
  }
  switch (action) {
    case "tail":
      return printRecords(options, BigInt(-(options.limit ?? TAIL)), true);
    case "export":
      return printRecords(options, options.after ?? 0n, false);
    case "verify":
      return verify(file, options);
    case "key":
      await say(publicPem(readKey(readServeConfig().auditKeyFile)).trimEnd().split("\n"));
      return ExitStatus.ok;
  }
}

/** One record a line, to the byte as it is kept: printable ASCII, whatever is in it. */
async function printRecords(options: AuditOptions, afterSequence: bigint, follow: boolean) {
  return callServer(options, async (client, terminal) => {
    using interrupts = takeInterrupts();
    const signal = AbortSignal.any([interrupts.first, interrupts.quit, terminal.gone]);
    try {
      for await (const { records } of client.exportAudit({ afterSequence, follow }, { signal })) {
        for (const line of records) await terminal.write(print`${asIs(line)}\n`);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
      return ExitStatus.detached;
    }
    return ExitStatus.ok;
  });
}

async function verify(file: string | undefined, options: AuditOptions): Promise<ExitStatus> {
  const heads = await readHeads(options.head ?? []);
  const keys = options.key?.map(readPublicKey);
  if (file === undefined) {
    return callServer(options, (client) => check(serverLines(client), { heads, keys }));
  }
  return check(readChainFile(file), { heads, keys }, file);
}

async function check(
  lines: AsyncIterable<string>,
  against: CheckedAgainst,
  file?: string,
): Promise<ExitStatus> {
  try {
    const checked = new ChainCheck(against);
    for await (const line of lines) checked.take(line);
    await say(told(checked.end(), against));
    return ExitStatus.ok;
  } catch (error) {
    if (error instanceof ChainFault) {
      await say([`wrong: record ${error.sequence}${at(error)}: ${error.message}`]);
      return ExitStatus.failed;
    }
    if (file === undefined) throw error;
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

async function say(lines: readonly string[]): Promise<void> {
  const terminal = openTerminal(process.stdout, process.stderr, false);
  for (const line of lines) await terminal.write(print`${oneLine(line, LINE_CHARACTERS)}\n`);
}

function at({ place }: ChainFault): string {
  return place === 0 ? "" : `, the ${place}. that was read`;
}

function told(chain: CheckedChain, { heads = [], keys }: CheckedAgainst): string[] {
  const { first, last, hash, signedUpTo, removal } = chain;
  if (chain.chain === undefined) return ["right: there is no record"];
  const lines = [
    `right: records ${first} to ${last} of chain ${chain.chain}`,
    `hash of the last: ${hash}`,
  ];
  if (heads.length === 0) {
    lines.push(
      "not checked: whether records at the end are missing, or all were made anew: give --head",
    );
  } else {
    if (signedUpTo < last)
      lines.push(`not vouched for: records ${signedUpTo + 1} to ${last}, behind the last head`);
    if (keys === undefined) lines.push("not checked: who signed the heads: give --key");
  }
  if (removal !== undefined && keys === undefined) {
    lines.push(`not checked: who signed that the records before ${first} were removed: give --key`);
  }
  if (removal === "head") {
    const why = "vouched for by a head alone, as servers before did it";
    lines.push(
      `that the records before ${first} were removed is ${why}: anybody who had one could`,
    );
  }
  return lines;
}

async function* serverLines(client: BreakglassClient): AsyncGenerator<string> {
  for await (const { records } of client.exportAudit({})) yield* records;
}

async function readHeads(files: readonly string[]): Promise<AuditHead[]> {
  const heads: AuditHead[] = [];
  for (const file of files) {
    const before = heads.length;
    try {
      for await (const line of fileLines(file)) {
        const head = findHead(line);
        if (head !== undefined) heads.push(head);
      }
    } catch (error) {
      throw new UsageError(`--head ${file}: ${(error as Error).message}`);
    }
    if (heads.length === before) throw new UsageError(`--head ${file}: there is no head in it`);
  }
  return heads;
}

function readPublicKey(file: string): string {
  try {
    return rawKey(createPublicKey(readFileSync(file)));
  } catch (error) {
    throw new UsageError(
      `--key ${file}: it takes an Ed25519 public key in PEM: ${(error as Error).message}`,
    );
  }
}

/** What the server sent: printable ASCII where it is what it should be, and made so where it is not. */
function asIs(line: string): Printable {
  return terminalJson(line.replaceAll("\n", " "));
}
