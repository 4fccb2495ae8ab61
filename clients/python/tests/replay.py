"""Reads a turn that has ended, and prints how many events came in how many seconds, as JSON: `replay.py URL TURN`."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from breakglass_client import AttachTurnRequest, BreakglassClient


async def main(url: str, turn_id: str) -> None:
    events = 0
    async with BreakglassClient(url) as client:
        start = time.monotonic()
        async for event in client.stream_turn(AttachTurnRequest(turn_id=turn_id)):
            events += event.sequence > 0
        print(json.dumps({"events": events, "seconds": time.monotonic() - start}))


asyncio.run(main(*sys.argv[1:]))
