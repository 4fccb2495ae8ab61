// The agent of the fake: it takes the Claude Code CLI's place, and does what the script says that the fake has put into the
// file whose path is in FAKE_SCRIPT.
import { readFileSync } from "node:fs";
import type { Script } from "../script.ts";
import { SCRIPT_VARIABLE } from "../script-file.ts";
import { AgentTurns } from "./agent-turns.ts";
import { runAgent } from "./run-agent.ts";
import { ScriptPlayer } from "./script-player.ts";

const path = process.env[SCRIPT_VARIABLE] ?? "";
const readScript = () => JSON.parse(readFileSync(path, "utf8")) as Script;

runAgent((opening) => new AgentTurns(opening, new ScriptPlayer(readScript)));
