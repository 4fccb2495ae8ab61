"""The plain loop that the service took the place of: an agent's lines, as they come, as server-sent events.

Usage: `loop.py AGENT [SECONDS]`. Prints its URL, and answers `POST /v1/turns` with what AGENT prints for the prompt. Nothing
is kept, nothing can be read again, and the turn is gone with its reader. With SECONDS an agent that is silent for as long is
given up.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

LONGEST_LINE = 1024 * 1024
LONGEST_SILENCE = float(sys.argv[2]) if len(sys.argv) > 2 else None


async def run_turn(request: Request) -> StreamingResponse:
    """Starts a turn and streams it."""
    prompt = (await request.json())["prompt"]
    return StreamingResponse(stream(prompt), media_type="text/event-stream")


async def stream(prompt: str) -> AsyncIterator[str]:
    """Runs the agent, and yields its events as they are sent."""
    pipe = asyncio.subprocess.PIPE
    agent = await asyncio.create_subprocess_exec(sys.argv[1], stdin=pipe, stdout=pipe, limit=LONGEST_LINE)
    agent.stdin.write(prompt.encode() + b"\n")
    agent.stdin.close()
    while line := await next_line(agent.stdout):
        for event in events_of(json.loads(line)):
            yield f"data: {json.dumps(event)}\n\n"
    await agent.wait()


async def next_line(stdout: asyncio.StreamReader) -> bytes:
    """The next line; empty at the end."""
    if LONGEST_SILENCE is None:
        return await stdout.readline()
    return await asyncio.wait_for(stdout.readline(), LONGEST_SILENCE)


def events_of(message: dict) -> Iterator[dict]:
    """The five kinds of event, but for `error`."""
    match message:
        case {"type": "system", "subtype": "init"}:
            yield {"kind": "session", "session_id": message["session_id"]}
        case {"type": "assistant"}:
            for block in message["message"]["content"]:
                if block["type"] == "text":
                    yield {"kind": "text", "text": block["text"]}
                elif block["type"] == "tool_use":
                    yield {"kind": "tool", "name": block["name"], "input": block["input"]}
        case {"type": "result"}:
            names = ("is_error", "result", "duration_ms")
            yield {"kind": "result"} | {name: message[name] for name in names}


def main() -> None:
    """Serves on a port of the system's choice."""
    app = Starlette(routes=[Route("/v1/turns", run_turn, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])


if __name__ == "__main__":
    main()
