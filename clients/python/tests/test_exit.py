"""However a program ends, it ends by what it did itself: no abort, no hang, and not a word of the client's."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving import Server

BEGINNING = """
import asyncio, os, signal, sys, threading, time
from breakglass_client import BreakglassClient, RunTurnRequest

# The turn that every program reads: it runs on.
TURN = RunTurnRequest(prompt="say one\\nhang", request_id="7f0b0c1c-3f57-4a54-8d4e-0f0f4b8f6a11")

async def read(client, then):
    async for event in client.stream_turn(TURN):
        if event.sequence == 2:
            then()

async def run():
    async with BreakglassClient(URL) as client:
        return (await client.run_turn(RunTurnRequest(prompt="say It is the port."))).text
"""

# The loop's wake-up takes its time, the interpreter let go, as on a machine that gives its thread no processor.
LATE_LOOP = """
class LateLoop(asyncio.SelectorEventLoop):
    def _write_to_self(self):
        super()._write_to_self()
        if threading.get_ident() != threading.main_thread().ident:
            for _ in range(300):
                time.sleep(0.001)

loop = LateLoop()
print(loop.run_until_complete(run()))
loop.close()
"""

LEFT = """
async def main():
    async for event in BreakglassClient(URL).stream_turn(TURN):
        if event.sequence == 2:
            return

asyncio.run(main())
"""

CANCELED = """
async def main():
    is_read = asyncio.Event()
    main.task = asyncio.create_task(read(BreakglassClient(URL), is_read.set))
    await is_read.wait()

asyncio.run(main())
"""

INTERRUPTED = """
async def main():
    async with BreakglassClient(URL) as client:
        await read(client, lambda: signal.raise_signal(signal.SIGINT))

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""

EXITED = """
async def main():
    async with BreakglassClient(URL) as client:
        await read(client, lambda: sys.exit(0))

asyncio.run(main())
"""

LOOP_CLOSED = """
stream = BreakglassClient(URL).stream_turn(TURN)
loop = asyncio.new_event_loop()
print(loop.run_until_complete(anext(stream)).sequence)
loop.close()
"""

IN_A_THREAD = """
is_read = threading.Event()
threading.Thread(target=lambda: asyncio.run(read(BreakglassClient(URL), is_read.set)), daemon=True).start()
is_read.wait()
"""

FORKED_BEFORE_IT_CALLS = """
if os.fork() == 0:
    print(asyncio.run(run()), flush=True)
else:
    os.wait()
"""

FORKED = """
import warnings

print(asyncio.run(run()), flush=True)
# Of Python 3.12 and newer: the process has threads.
warnings.simplefilter("ignore", DeprecationWarning)
if os.fork() == 0:
    try:
        asyncio.run(run())
    except RuntimeError as error:
        print(str(error)[:27])
else:
    os.wait()
"""

PROGRAMS = {
    "woken late": (LATE_LOOP, "done\n"),
    "left": (LEFT, ""),
    "canceled by asyncio.run": (CANCELED, ""),
    "interrupted": (INTERRUPTED, "interrupted\n"),
    "exited": (EXITED, ""),
    "its loop closed": (LOOP_CLOSED, "0\n"),
    "in a thread": (IN_A_THREAD, ""),
    "forked before it calls": (FORKED_BEFORE_IT_CALLS, "done\n"),
    "forked": (FORKED, "done\nthis process was forked fro\n"),
}


async def end_of(program: str, server: Server) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        (BEGINNING + program).replace("URL", repr(server.url)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(50):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return process.returncode, stdout.decode(), stderr.decode()


@pytest.mark.parametrize(("program", "said"), PROGRAMS.values(), ids=PROGRAMS)
async def test_a_program_ends_as_it_means_to(server: Server, program: str, said: str) -> None:
    assert await end_of(program, server) == (0, said, "")
