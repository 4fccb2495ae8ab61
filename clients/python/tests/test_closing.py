"""A client that is closed ends what reads by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from conftest import PROTOCOLS
from reading import kind_of, read

from breakglass_client import (
    AttachTurnRequest,
    BackOff,
    BreakglassClient,
    ClientClosedError,
    ConnectionLost,
    Protocol,
    RunTurnRequest,
    StreamOptions,
    WatchSessionRequest,
)
from breakglass_client.v1 import CancelTurnRequest

if TYPE_CHECKING:
    from proxy import Proxy


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_ends_what_is_read_and_not_the_turn(proxy: Proxy, client: BreakglassClient, protocol: Protocol) -> None:
    closing = BreakglassClient(proxy.url, protocol=protocol)
    running: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()

    async def read_on() -> None:
        async for event in closing.stream_turn(RunTurnRequest(prompt="say one\nhang")):
            if kind_of(event) == "text":
                running.set_result((event.turn_id, event.session_id))

    async def watch(session_id: str) -> None:
        async for _ in closing.watch_session(WatchSessionRequest(session_id=session_id)):
            pass

    reader = asyncio.create_task(read_on())
    turn_id, session_id = await running
    watcher = asyncio.create_task(watch(session_id))
    await asyncio.sleep(0)
    await closing.aclose()
    # Nothing else would end it.
    async with asyncio.timeout(10):
        ends = await asyncio.gather(reader, watcher, return_exceptions=True)
    assert [type(end) for end in ends] == [ClientClosedError, ClientClosedError]
    assert [task.cancelling() for task in (reader, watcher)] == [0, 0]
    with pytest.raises(ClientClosedError):
        await read(closing.stream_turn(AttachTurnRequest(turn_id=turn_id)))
    # Idempotent.
    await closing.aclose()
    canceled = (await client.rpc.cancel_turn(CancelTurnRequest(turn_id=turn_id))).turn
    assert canceled is not None
    assert kind_of((await read(client.stream_turn(AttachTurnRequest(turn_id=turn_id))))[-1]) == "error"


async def test_ends_what_waits_to_try_again() -> None:
    waiting = asyncio.Event()

    def told(change: object) -> None:
        assert isinstance(change, ConnectionLost)
        waiting.set()

    late = StreamOptions(back_off=BackOff(first=60, longest=60, jitter=0, first_give_up=60), on_connection=told)
    client = BreakglassClient("http://127.0.0.1:1", options=late)
    reader = asyncio.create_task(read(client.stream_turn(RunTurnRequest(prompt="say one"))))
    async with asyncio.timeout(10):
        await waiting.wait()
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await reader


async def test_who_reads_on_by_the_client_that_it_closed_is_told(proxy: Proxy) -> None:
    client = BreakglassClient(proxy.url)

    async def close_and_read_on() -> None:
        async for event in client.stream_turn(RunTurnRequest(prompt="say one\nsay two")):
            if event.sequence == 1:
                await client.aclose()

    with pytest.raises(ClientClosedError):
        await close_and_read_on()
