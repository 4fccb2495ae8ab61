"""A program that has done its work ends well, however late a thread of pyqwest's gets its processor."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving import Server

# The loop's wake-up takes its time, the interpreter let go, as on a machine that gives its thread no processor.
PROGRAM = """
import asyncio
import threading
import time

from breakglass_client import BreakglassClient, RunTurnRequest


class LateLoop(asyncio.SelectorEventLoop):
    def _write_to_self(self):
        super()._write_to_self()
        if threading.get_ident() != threading.main_thread().ident:
            for _ in range(300):
                time.sleep(0.001)


async def main():
    async with BreakglassClient(URL) as client:
        print((await client.run_turn(RunTurnRequest(prompt="say It is the port."))).text)


loop = LateLoop()
loop.run_until_complete(main())
loop.close()
"""


async def test_a_program_ends_behind_the_threads_that_woke_it(server: Server) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM.replace("URL", repr(server.url)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        stdout, stderr = await process.communicate()
    assert (process.returncode, stdout, stderr) == (0, b"done\n", b"")
