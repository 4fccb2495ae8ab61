"""Reads a turn again and again, by the generated client and by `stream_turn`, and prints what each reading took.

Usage: `turn_rate.py URL TURN ROUNDS`. `npm run bench client-rates` runs it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

from connectrpc.protocol import ProtocolType
from pyqwest import Client, HTTPTransport, HTTPVersion

from breakglass_client import AttachTurnRequest, BreakglassClient
from breakglass_client.gen.breakglass.v1.breakglass_service_connect import BreakglassServiceClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def main(url: str, turn_id: str, rounds: int) -> None:
    """Reads by both in turn."""
    readings: dict[str, list[dict[str, float]]] = {"bare": [], "client": []}
    async with HTTPTransport(http_version=HTTPVersion.HTTP2) as transport, BreakglassClient(url) as client:
        generated = BreakglassServiceClient(url, protocol=ProtocolType.GRPC, http_client=Client(transport))
        for _ in range(rounds):
            readings["bare"].append(await timed(lambda: read_bare(generated, turn_id)))
            readings["client"].append(await timed(lambda: read_by_client(client, turn_id)))
    print(json.dumps(readings))


async def read_bare(client: BreakglassServiceClient, turn_id: str) -> int:
    """Reads the turn by the generated client; answers its last sequence."""
    last = 0
    async for message in client.attach_turn(AttachTurnRequest(turn_id=turn_id)):
        event = message.event
        if event is not None and event.sequence > 0:
            last = event.sequence
    return last


async def read_by_client(client: BreakglassClient, turn_id: str) -> int:
    """Reads the turn by the client; answers its last sequence."""
    last = 0
    async for event in client.stream_turn(AttachTurnRequest(turn_id=turn_id)):
        if event.sequence > 0:
            last = event.sequence
    return last


async def timed(read: Callable[[], Awaitable[int]]) -> dict[str, float]:
    """What a reading took, of time and of this process's share of the processors."""
    processor = time.process_time()
    start = time.perf_counter()
    events = await read()
    seconds = time.perf_counter() - start
    return {"events": events, "seconds": seconds, "processorSeconds": time.process_time() - processor}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
