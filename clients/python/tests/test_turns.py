"""Turns that nothing disturbs."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest
from conftest import PROTOCOLS
from reading import checkpoints, durable, kind_of, kinds, read, read_until, texts, turn_count

from breakglass_client import (
    AttachTurnRequest,
    BreakglassClient,
    Code,
    ConnectError,
    Protocol,
    Reason,
    RunTurnRequest,
    error_info,
)
from breakglass_client.v1 import CancelTurnRequest, GetTurnRequest, TurnState

if TYPE_CHECKING:
    from pathlib import Path

    from proxy import Proxy


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_streams_a_turn_from_its_first_event_to_its_result(proxy: Proxy, protocol: Protocol) -> None:
    async with BreakglassClient(proxy.url, protocol=protocol) as client:
        events = await read(client.stream_turn(RunTurnRequest(prompt="say one\nsay two")))
    assert kinds(events)[0] == "checkpoint"
    assert durable(events) == [(1, "session"), (2, "text"), (3, "text"), (4, "result")]
    assert texts(events) == ["one", "two"]


async def test_runs_a_turn_to_its_end(client: BreakglassClient) -> None:
    outcome = await client.run_turn(RunTurnRequest(prompt="say one\nresult that was all"))
    assert (outcome.succeeded, outcome.text, outcome.total_cost_usd) == (True, "that was all", 0.25)
    assert outcome.usage is not None
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (20, 10)
    assert outcome.permission_denials == ()
    assert outcome.turn.state == TurnState.SUCCEEDED


async def test_a_turn_that_fails_is_an_outcome(client: BreakglassClient) -> None:
    outcome = await client.run_turn(RunTurnRequest(prompt="say one\nexit 3"))
    assert not outcome.succeeded
    assert outcome.result is None
    assert outcome.error is not None
    assert outcome.error.exit_code == 3
    assert outcome.text == outcome.error.message != ""
    assert outcome.turn.state == TurnState.FAILED


async def test_tells_the_outcome_of_a_turn_that_is_read_from_behind_its_end(client: BreakglassClient) -> None:
    first = await client.run_turn(RunTurnRequest(prompt="result the end"))
    behind = AttachTurnRequest(turn_id=first.turn.turn_id, after_sequence=first.turn.last_sequence)
    seen: list[str] = []
    again = await client.run_turn(behind, on_event=lambda event: seen.append(kind_of(event)))
    assert again.text == "the end"
    assert seen == ["checkpoint"] * len(seen)


async def test_what_a_listener_raises_ends_the_reading(client: BreakglassClient) -> None:
    def refuse(_: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await client.run_turn(RunTurnRequest(prompt="say one"), on_event=refuse)


async def test_attaches_to_a_turn_that_has_ended(client: BreakglassClient) -> None:
    events = await read(client.stream_turn(RunTurnRequest(prompt="say one\nsay two")))
    turn_id = events[0].turn_id
    assert durable(await read(client.stream_turn(AttachTurnRequest(turn_id=turn_id)))) == durable(events)
    later = await read(client.stream_turn(AttachTurnRequest(turn_id=turn_id, after_sequence=2)))
    assert durable(later) == durable(events)[2:]
    behind = await read(client.stream_turn(AttachTurnRequest(turn_id=turn_id, after_sequence=4)))
    assert {sequence for sequence, _ in checkpoints(behind)} == {4}
    assert durable(behind) == []


async def test_joins_a_start_by_its_request_id(client: BreakglassClient) -> None:
    request = RunTurnRequest(prompt="say once", request_id=str(uuid.uuid4()))
    both = await asyncio.gather(*(read(client.stream_turn(request)) for _ in range(2)))
    assert durable(both[0]) == durable(both[1])
    assert both[0][0].turn_id == both[1][0].turn_id
    assert await turn_count(client, both[0][0].session_id) == 1
    with pytest.raises(ConnectError) as refused:
        await client.run_turn(RunTurnRequest(prompt="say another", request_id=request.request_id))
    info = error_info(refused.value)
    assert info is not None
    assert info.reason is Reason.REQUEST_ID_REUSED


async def test_each_start_is_a_turn_of_its_own(client: BreakglassClient) -> None:
    request = RunTurnRequest(prompt="say it")
    first, second = [await client.run_turn(request) for _ in range(2)]
    assert first.turn.turn_id != second.turn.turn_id
    assert request.request_id == ""


async def test_leaving_ends_the_reading_and_not_the_turn(client: BreakglassClient, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = client.stream_turn(RunTurnRequest(prompt=f"say one\nwait {gate}\nsay two"))
    read_so_far = await read_until(run, lambda event: kind_of(event) == "text")
    turn_id = read_so_far[0].turn_id
    waiting = asyncio.create_task(client.run_turn(AttachTurnRequest(turn_id=turn_id, after_sequence=2)))
    await read_until(client.stream_turn(AttachTurnRequest(turn_id=turn_id)), lambda event: event.sequence == 2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    turn = (await client.rpc.get_turn(GetTurnRequest(turn_id=turn_id))).turn
    assert turn is not None
    assert turn.state == TurnState.RUNNING
    gate.touch()
    rest = await read(client.stream_turn(AttachTurnRequest(turn_id=turn_id, after_sequence=2)))
    assert durable(read_so_far) + durable(rest) == [(1, "session"), (2, "text"), (3, "text"), (4, "result")]


async def test_a_callers_deadline_ends_the_reading_at_once(client: BreakglassClient) -> None:
    turn_ids: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await client.run_turn(RunTurnRequest(prompt="hang"), on_event=lambda e: turn_ids.append(e.turn_id))
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0
    canceled = (await client.rpc.cancel_turn(CancelTurnRequest(turn_id=turn_ids[0]))).turn
    assert canceled is not None
    assert canceled.state == TurnState.CANCELED


async def test_refusals_are_raised_at_once_with_their_reason_and_metadata(client: BreakglassClient) -> None:
    done = await client.run_turn(RunTurnRequest(prompt="say one"))
    running = await read_until(client.stream_turn(RunTurnRequest(prompt="hang")), lambda _: True)
    session_id, turn_id = running[0].session_id, running[0].turn_id
    cases: list[tuple[RunTurnRequest | AttachTurnRequest, Code, Reason, dict[str, str], list[str]]] = [
        (RunTurnRequest(), Code.INVALID_ARGUMENT, Reason.INVALID_ARGUMENT, {}, ["prompt"]),
        (AttachTurnRequest(turn_id=str(uuid.uuid4())), Code.NOT_FOUND, Reason.NOT_FOUND, {}, []),
        (
            AttachTurnRequest(turn_id=done.turn.turn_id, after_sequence=9),
            Code.OUT_OF_RANGE,
            Reason.OUT_OF_RANGE,
            {"last_sequence": "3"},
            [],
        ),
        (
            RunTurnRequest(prompt="say two", session_id=session_id),
            Code.FAILED_PRECONDITION,
            Reason.TURN_IN_PROGRESS,
            {"turn_id": turn_id},
            [],
        ),
    ]
    for request, code, reason, metadata, fields in cases:
        with pytest.raises(ConnectError) as refused:
            await read(client.stream_turn(request))
        info = error_info(refused.value)
        assert info is not None
        assert (refused.value.code, info.reason, info.metadata) == (code, reason, metadata)
        assert [violation.field for violation in info.violations] == fields
        assert info.retry_delay is None
    await client.rpc.cancel_turn(CancelTurnRequest(turn_id=turn_id))
