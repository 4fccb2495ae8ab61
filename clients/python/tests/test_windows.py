"""What a server may have on its way to the client."""

from __future__ import annotations

import asyncio
import struct

import pytest

from breakglass_client import BreakglassClient, ConnectError
from breakglass_client.v1 import ListSessionsRequest

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, WINDOW_UPDATE = 0x4, 0x8
INITIAL_WINDOW_SIZE = 0x4
NARROW = 65_535
MIB = 1024 * 1024


async def windows_of(reader: asyncio.StreamReader) -> tuple[int, int]:
    """The windows of a stream and of the connection, by the frames that it opens with (RFC 9113, 6.5 and 6.9)."""
    assert await reader.readexactly(len(PREFACE)) == PREFACE
    stream = connection = NARROW
    while NARROW in (stream, connection):
        header = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(header[:3]))
        if header[3] == SETTINGS:
            stream = dict(struct.iter_unpack(">HI", payload)).get(INITIAL_WINDOW_SIZE, stream)
        elif header[3] == WINDOW_UPDATE:
            connection += int.from_bytes(payload)
    return stream, connection


async def test_the_windows_are_those_that_the_documentation_tells() -> None:
    found: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.set_result(await windows_of(reader))
        writer.close()

    server = await asyncio.start_server(look, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, BreakglassClient(f"http://{host}:{port}") as client, asyncio.timeout(10):
        call = asyncio.ensure_future(client.rpc.list_sessions(ListSessionsRequest()))
        assert await found == (2 * MIB, 5 * MIB)
        with pytest.raises(ConnectError):
            await call
