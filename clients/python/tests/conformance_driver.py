"""What `breakglass conformance` runs the Python client by: docs/conformance.md of the repository.

It reads one case from stdin, and prints what the client delivers, an object of JSON a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from breakglass_client import (
    AttachTurnRequest,
    BackOff,
    BreakglassClient,
    ConnectError,
    RunTurnRequest,
    SequenceGapError,
    SilenceError,
    StreamCutError,
    StreamOptions,
    TurnOutcome,
    WatchSessionRequest,
    WatchTurnsRequest,
    error_info,
    v1,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from protobuf import Message

Case = dict[str, Any]

ONCE = {"ResolveApproval": "resolve_approval", "SteerTurn": "steer_turn", "InterruptTurn": "interrupt_turn"}


async def run(case: Case) -> None:
    """Runs a case to its end."""
    client = BreakglassClient(
        case["url"], token=case.get("token"), protocol=case["protocol"], options=options_of(case["options"])
    )
    leave_after = case.get("leave_after_ms")
    async with client:
        try:
            async with asyncio.timeout(None if leave_after is None else leave_after / 1000):
                await call(case, client)
            emit("end", {"kind": "ok"})
        except Exception as error:
            emit("end", end_of(error))


def options_of(given: Mapping[str, int]) -> StreamOptions:
    return StreamOptions(
        back_off=BackOff(
            first=given["first_wait_ms"] / 1000,
            longest=given["longest_wait_ms"] / 1000,
            give_up=given["give_up_ms"] / 1000,
            first_give_up=given["first_give_up_ms"] / 1000,
        ),
        silence=given["silence_ms"] / 1000,
    )


async def call(case: Case, client: BreakglassClient) -> None:
    request = json.dumps(case["request"])
    match case["call"]:
        case "stream_turn":
            await read(case, "event", client.stream_turn(RunTurnRequest.from_json(request)))
        case "attach_turn":
            await read(case, "event", client.stream_turn(AttachTurnRequest.from_json(request)))
        case "watch_session":
            await read(case, "change", client.watch_session(WatchSessionRequest.from_json(request)))
        case "watch_turns":
            await read(case, "change", client.watch_turns(WatchTurnsRequest.from_json(request)))
        case "run_turn":
            emit("outcome", outcome_of(await client.run_turn(RunTurnRequest.from_json(request))))
        case name if name in ONCE:
            made = getattr(v1, f"{name}Request").from_json(request)
            emit("answer", as_json(await getattr(client.rpc, ONCE[name])(made)))
        case name:
            emit("unsupported", name)


async def read(case: Case, what: str, messages: AsyncGenerator[Message, None]) -> None:
    """Prints what comes, until the reading is over or left."""
    count = 0
    async with aclosing(messages):
        async for message in messages:
            emit(what, as_json(message))
            count += 1
            if count == case.get("leave_after"):
                break
            await asyncio.sleep(case.get("pause_ms", 0) / 1000)


def outcome_of(outcome: TurnOutcome) -> dict[str, Any]:
    printed: dict[str, Any] = {
        "succeeded": outcome.succeeded,
        "text": outcome.text,
        "total_cost_usd": outcome.total_cost_usd,
        "permission_denials": [as_json(denial) for denial in outcome.permission_denials],
        "turn": as_json(outcome.turn),
    }
    if outcome.usage is not None:
        printed["usage"] = as_json(outcome.usage)
    if outcome.error is not None:
        printed["error"] = as_json(outcome.error)
    return printed


def end_of(error: Exception) -> dict[str, Any]:
    """How a reading ended, as the kit reads it."""
    match error:
        case TimeoutError():
            return {"kind": "left"}
        case StreamCutError():
            return {"kind": "cut"}
        case SilenceError():
            return {"kind": "silence"}
        case SequenceGapError():
            return {"kind": "gap"}
        case ConnectError():
            return status_of(error)
        case _:
            raise error


def status_of(error: ConnectError) -> dict[str, Any]:
    end: dict[str, Any] = {"kind": "status", "code": error.code.name, "reason": "", "metadata": {}, "violations": []}
    info = error_info(error)
    if info is not None:
        end["reason"] = str(info.reason)
        end["metadata"] = dict(info.metadata)
        end["violations"] = [{"field": one.field, "description": one.description} for one in info.violations]
        if info.retry_delay is not None:
            end["retry_delay_ms"] = round(info.retry_delay.total_seconds() * 1000)
    return end


def as_json(message: Message) -> Any:  # noqa: ANN401 - JSON is anything
    return json.loads(message.to_json(use_proto_field_name=True))


def emit(name: str, value: object) -> None:
    """Prints a line with one member."""
    print(json.dumps({name: value}), flush=True)


if __name__ == "__main__":
    asyncio.run(run(json.load(sys.stdin)))
