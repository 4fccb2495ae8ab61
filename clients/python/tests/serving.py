"""The real server with an agent that does what its prompt says, and what tests do to it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

REPOSITORY = Path(__file__).resolve().parents[3]
NODE_BIN = REPOSITORY / "node_modules" / ".bin"
AGENT = REPOSITORY / "test" / "fixtures" / "scripted-agent.ts"


class Server:
    """`serve` in a process and a directory of its own, at a port that stays its own over restarts."""

    def __init__(self, root: Path, settings: dict[str, str]) -> None:
        self.port = 0
        self._root = root
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        scheme = "https" if "BREAKGLASS_TLS_CERT" in self._settings else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        assert self._process is None
        # Nothing of the environment of whoever runs the tests.
        env = {
            "PATH": f"{NODE_BIN}{os.pathsep}{os.defpath}",
            "HOME": str(self._root),
            "BREAKGLASS_LISTEN": f"127.0.0.1:{self.port}",
            "BREAKGLASS_DATA_DIR": str(self._root / "data"),
            "BREAKGLASS_AGENT_COMMAND": str(AGENT),
            "BREAKGLASS_MAX_WARM_PROCESSES": "0",
            "BREAKGLASS_DRAIN_SECONDS": "0",
            **self._settings,
        }
        with (self._root / "serve.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                NODE_BIN / "node",
                "--conditions=breakglass-source",
                REPOSITORY / "src" / "main.ts",
                "serve",
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            said = await self._process.stdout.readline()
        found = re.search(rb"https?://127\.0\.0\.1:(\d+)", said)
        assert found, (self._root / "serve.log").read_text()
        self.port = int(found[1])

    async def end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(how)
        await process.communicate()

    async def restart(self, how: signal.Signals) -> None:
        await self.end(how)
        await self.start()


@asynccontextmanager
async def serving(root: Path, **settings: str) -> AsyncGenerator[Server, None]:
    server = Server(root, settings)
    try:
        await server.start()
        yield server
    finally:
        # It ends its agents with it.
        await server.end(signal.SIGTERM)
        shutil.rmtree(root, ignore_errors=True)
