"""Turns over connections that break."""

from __future__ import annotations

import asyncio
import signal
import uuid
from typing import TYPE_CHECKING, TypeAlias

import pytest
from conftest import AT_ONCE, PROTOCOLS, Site
from proxy import NEVER, Proxy
from reading import checkpoints, durable, kind_of, read, read_until, texts, turn_count

from breakglass_client import (
    AttachTurnRequest,
    BackOff,
    BreakglassClient,
    Code,
    ConnectError,
    ConnectionBack,
    ConnectionChange,
    ConnectionLost,
    Protocol,
    Reason,
    RunTurnRequest,
    SilenceError,
    StreamOptions,
    WatchSessionRequest,
    WatchTurnsRequest,
    error_info,
)
from breakglass_client.v1 import GetTurnRequest, ListSessionsRequest, Turn, TurnState

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from breakglass_client.v1 import TurnEvent

    OwnSite: TypeAlias = Callable[..., AbstractAsyncContextManager[Site]]

PROMPT = "\n".join(f"say text {n} {'x' * 20 * n}" for n in range(12))
WHOLE = [(1, "session"), *((n, "text") for n in range(2, 14)), (14, "result")]


def options(changes: list[ConnectionChange] | None = None, silence: float = 40.0) -> StreamOptions:
    return StreamOptions(
        back_off=AT_ONCE,
        silence=silence,
        on_connection=lambda change: None if changes is None else changes.append(change),
    )


@pytest.mark.parametrize("is_rough", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_turn_is_read_once_and_in_order_wherever_its_stream_is_cut(
    proxy: Proxy, protocol: Protocol, *, is_rough: bool
) -> None:
    proxy.is_rough = is_rough
    async with BreakglassClient(proxy.url, protocol=protocol, options=options()) as client:
        turn_id = (await client.run_turn(RunTurnRequest(prompt=PROMPT))).turn.turn_id
    lost = 0
    for cut in [*range(1, 40, 5), *range(40, 5000, 211)]:
        changes: list[ConnectionChange] = []
        proxy.connections = 0
        # Each connection brings a little more than the one before, so that it ends.
        proxy.cut_of = lambda number, cut=cut: cut + 250 * number
        async with BreakglassClient(proxy.url, protocol=protocol, options=options(changes)) as client:
            events = await read(client.stream_turn(AttachTurnRequest(turn_id=turn_id)))
        assert durable(events) == WHOLE, cut
        assert checkpoints(events).count((0, False)) == 1, cut
        lost += sum(isinstance(change, ConnectionLost) for change in changes)
        assert [type(change) for change in changes[-1:]] in ([], [ConnectionBack])
    assert lost > 30


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_start_whose_answer_is_cut_is_joined_and_not_repeated(proxy: Proxy, protocol: Protocol) -> None:
    for cut in range(1, 1200, 149):
        proxy.connections = 0
        proxy.cut_of = lambda number, cut=cut: cut if number == 0 else NEVER
        async with BreakglassClient(proxy.url, protocol=protocol, options=options()) as client:
            session_id = str(uuid.uuid4())
            events = await read(client.stream_turn(RunTurnRequest(prompt="say one", session_id=session_id)))
            assert durable(events) == [(1, "session"), (2, "text"), (3, "result")], cut
        async with BreakglassClient(proxy.url, protocol=protocol) as client:
            assert await turn_count(client, session_id) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "drain"])
async def test_goes_on_over_a_restart_of_the_server(own_site: OwnSite, how: signal.Signals) -> None:
    async with own_site() as (server, proxy):
        changes: list[ConnectionChange] = []
        async with BreakglassClient(proxy.url, options=options(changes)) as client:
            got: list[TurnEvent] = []
            async with asyncio.TaskGroup() as group:
                async for event in client.stream_turn(RunTurnRequest(prompt="say one\nsay two\nhang")):
                    got.append(event)
                    if event.sequence == 3:
                        group.create_task(server.restart(how))
            assert durable(got) == [(1, "session"), (2, "text"), (3, "text"), (4, "error")]
            outcome = await client.run_turn(AttachTurnRequest(turn_id=got[0].turn_id))
            assert outcome.turn.state == TurnState.LOST
            assert not outcome.succeeded
            assert await turn_count(client, got[0].session_id) == 1
        # A drain tells how the turn ended before it ends the stream.
        if how == signal.SIGKILL:
            assert isinstance(changes[0], ConnectionLost)
            assert changes[0].was_connected
            assert isinstance(changes[-1], ConnectionBack)


async def test_reads_on_while_the_server_drains_and_tells_what_it_was_told(own_site: OwnSite, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with own_site(BREAKGLASS_DRAIN_SECONDS="20") as (server, proxy):
        changes: list[ConnectionChange] = []
        async with BreakglassClient(proxy.url, options=options(changes)) as client:
            got: list[TurnEvent] = []
            async with asyncio.TaskGroup() as group:
                async for event in client.stream_turn(RunTurnRequest(prompt=f"say one\nwait {gate}\nsay two")):
                    got.append(event)
                    if event.sequence == 2:
                        group.create_task(server.restart(signal.SIGTERM))
                        group.create_task(_refused_by_drain(client, gate))
            assert durable(got) == [(1, "session"), (2, "text"), (3, "text"), (4, "result")]
            assert await turn_count(client, got[0].session_id) == 1


async def _refused_by_drain(client: BreakglassClient, gate: Path) -> None:
    """Waits until the server says that it drains, and lets the turn go on."""
    never = StreamOptions(back_off=BackOff(give_up=0, first_give_up=0))
    try:
        while True:
            await client.run_turn(RunTurnRequest(prompt="say more"), options=never)
    except ConnectError as error:
        info = error_info(error)
        assert info is None or info.reason is Reason.DRAINING
    finally:
        gate.touch()  # noqa: ASYNC240 - it is there at once


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_silent_connection_is_given_up(proxy: Proxy, tmp_path: Path, protocol: Protocol) -> None:
    gate = tmp_path / "gate"
    changes: list[ConnectionChange] = []
    async with BreakglassClient(proxy.url, protocol=protocol, options=options(changes, silence=0.5)) as client:
        got: list[TurnEvent] = []
        async for event in client.stream_turn(RunTurnRequest(prompt=f"say one\nwait {gate}\nsay two")):
            got.append(event)
            if event.sequence == 2:
                proxy.hold()
                gate.touch()
    assert durable(got) == [(1, "session"), (2, "text"), (3, "text"), (4, "result")]
    assert isinstance(changes[0], ConnectionLost)
    assert isinstance(changes[0].error, SilenceError)
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_a_readers_own_slowness_is_no_silence(client: BreakglassClient) -> None:
    changes: list[ConnectionChange] = []
    # Longer than the agent takes to start, on a busy machine too.
    async for event in client.stream_turn(RunTurnRequest(prompt="say one"), options=options(changes, silence=3)):
        if event.sequence == 1:
            await asyncio.sleep(3.2)
    assert changes == []


async def test_a_cancellation_is_not_taken_for_silence(proxy: Proxy, client: BreakglassClient) -> None:
    async def read_silence() -> None:
        async for event in client.stream_turn(RunTurnRequest(prompt="hang"), options=options(silence=30)):
            if kind_of(event) == "session":
                proxy.hold()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await read_silence()


async def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_the_caller_says(
    proxy: Proxy, client: BreakglassClient
) -> None:
    await client.rpc.list_sessions(ListSessionsRequest())
    proxy.hold()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await client.rpc.list_sessions(ListSessionsRequest())


async def test_gives_up_a_server_that_is_not_there(proxy: Proxy) -> None:
    proxy.cut_of = lambda _: 0
    changes: list[ConnectionChange] = []
    soon = StreamOptions(back_off=BackOff(first=0.01, longest=0.02, first_give_up=0.3), on_connection=changes.append)
    async with BreakglassClient("http://127.0.0.1:1", options=soon) as client:
        with pytest.raises(ConnectError) as gone:
            await read(client.stream_turn(RunTurnRequest(prompt="say one")))
    assert gone.value.code is Code.UNAVAILABLE
    assert error_info(gone.value) is None
    assert len(changes) > 5
    assert all(isinstance(change, ConnectionLost) and not change.was_connected for change in changes)


async def test_pieces_join_to_the_text_over_cuts(proxy: Proxy, client: BreakglassClient, tmp_path: Path) -> None:
    gates = [tmp_path / f"gate{n}" for n in range(4)]
    steps = [f"delta I look {n} \nwait {gate}" for n, gate in enumerate(gates)]
    prompt = "\n".join([*steps, "say I look 0 I look 1 I look 2 I look 3 "])
    shown = ""
    message_id = ""
    seen: list[str] = []
    got: list[TurnEvent] = []
    async for event in client.stream_turn(RunTurnRequest(prompt=prompt, text_deltas=True)):
        got.append(event)
        if event.kind is not None and event.kind.field == "text_delta":
            piece = event.kind.value
            shown = shown + piece.text if piece.message_id == message_id else piece.text
            message_id = piece.message_id
            seen.append(shown)
            count = shown.count("look")
            if shown.endswith(f"{count - 1} "):
                proxy.cut()
                gates[count - 1].touch()
    assert seen[-1] == "I look 0 I look 1 I look 2 I look 3 "
    assert seen == sorted(seen, key=len)
    assert texts(got) == [seen[-1].strip()] or texts(got) == [seen[-1]]


async def test_watches_a_session_over_cuts(proxy: Proxy, client: BreakglassClient) -> None:
    first = await client.run_turn(RunTurnRequest(prompt="say one"))
    session_id = first.turn.session_id
    changes: list[tuple[str, str]] = []
    cursors: list[int] = []
    caught_up = 0
    async with asyncio.TaskGroup() as group:
        async for message in client.watch_session(WatchSessionRequest(session_id=session_id)):
            caught_up += message.caught_up
            if message.change is not None:
                changes.append((message.change.field, message.change.value.turn_id))
                cursors.append(message.cursor)
                proxy.cut()
            if len(changes) == 2 and message.change is not None:
                group.create_task(client.run_turn(RunTurnRequest(prompt="say two", session_id=session_id)))
            if len(changes) == 4:
                break
    assert [field for field, _ in changes] == ["turn_started", "turn_ended"] * 2
    assert changes[0][1] == changes[1][1] == first.turn.turn_id
    assert changes[2][1] == changes[3][1] != first.turn.turn_id
    assert cursors == sorted(set(cursors))
    assert caught_up >= 1
    with pytest.raises(ConnectError) as gone:
        async for _ in client.watch_session(WatchSessionRequest(session_id=str(uuid.uuid4()))):
            pass
    assert gone.value.code is Code.NOT_FOUND


async def test_watches_all_turns_over_cuts(proxy: Proxy, client: BreakglassClient) -> None:
    first = await client.run_turn(RunTurnRequest(prompt="say before"))
    changes: list[tuple[str, str]] = []
    cursors: list[int] = []
    caught_up = 0
    async with asyncio.TaskGroup() as group:
        request = WatchTurnsRequest(session_id=first.turn.session_id)
        async for message in client.watch_turns(request):
            caught_up += message.caught_up
            if message.caught_up:
                next_turn = RunTurnRequest(prompt="say now", session_id=first.turn.session_id)
                group.create_task(client.run_turn(next_turn))
            if message.change is not None:
                cursors.append(message.cursor)
                if isinstance(message.change.value, Turn):
                    changes.append((message.change.field, message.change.value.turn_id))
            proxy.cut()
            if len(changes) == 2:
                break
    assert [field for field, _ in changes] == ["turn_started", "turn_ended"]
    assert changes[0][1] == changes[1][1] != first.turn.turn_id
    assert cursors == sorted(set(cursors))
    assert caught_up == 1
    with pytest.raises(ConnectError) as gone:
        async for _ in client.watch_turns(WatchTurnsRequest(after_cursor=1_000_000)):
            pass
    assert gone.value.code is Code.OUT_OF_RANGE


async def test_a_turn_that_is_read_by_many_is_one_turn(client: BreakglassClient) -> None:
    events = await read_until(client.stream_turn(RunTurnRequest(prompt=PROMPT)), lambda _: True)
    turn_id = events[0].turn_id
    readings = await asyncio.gather(*(read(client.stream_turn(AttachTurnRequest(turn_id=turn_id))) for _ in range(20)))
    assert all(durable(reading) == WHOLE for reading in readings)
    turn = (await client.rpc.get_turn(GetTurnRequest(turn_id=turn_id))).turn
    assert turn is not None
    assert turn.last_sequence == 14
