"""A TCP proxy in front of a server, on real sockets, whose connections a test breaks as networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

NEVER = 1 << 62


class Proxy:
    """Forwards to `server_port`; cuts each connection behind as many bytes as `cut_of` says of its number."""

    def __init__(self) -> None:
        self.port = 0
        self.server_port = 0
        self.reset()
        self._pairs: set[Pair] = set()

    def reset(self) -> None:
        """As a network that is well."""
        self.connections = 0
        self.cut_of: Callable[[int], int] = lambda _: NEVER
        self.is_rough = False
        """Connections end by RST, and not by FIN."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def cut(self) -> None:
        """Ends the connections that are open."""
        for pair in list(self._pairs):
            pair.end()

    def hold(self) -> None:
        """Passes nothing on any more over the connections that are open now, which stay open; new ones work."""
        for pair in self._pairs:
            pair.is_held = True

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        try:
            server = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.close()
            return
        pair = Pair(self, writer, server[1])
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                pair.forward(reader, server[1], NEVER), pair.forward(server[0], writer, self.cut_of(number))
            )
        except OSError:
            pass
        finally:
            pair.end()
            self._pairs.discard(pair)


class Pair:
    """A client's connection, and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.is_held = False
        self._proxy = proxy
        self._writers = (client, server)

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
        while data := await reader.read(65536):
            if self.is_held:
                continue
            writer.write(data[:left])
            await writer.drain()
            left -= len(data)
            if left <= 0:
                break
        if not self.is_held:
            self.end()

    def end(self) -> None:
        for writer in self._writers:
            if self._proxy.is_rough:
                with suppress(OSError):
                    taken: socket.socket = writer.get_extra_info("socket")
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()


@asynccontextmanager
async def proxying() -> AsyncGenerator[Proxy, None]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
