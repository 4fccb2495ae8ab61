"""What tests make of streams."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from breakglass_client import BreakglassClient, Oneof
from breakglass_client.v1 import ListTurnsRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from breakglass_client.v1 import TurnEvent


async def read(events: AsyncGenerator[TurnEvent, None]) -> list[TurnEvent]:
    return [event async for event in events]


async def read_until(events: AsyncGenerator[TurnEvent, None], is_it: Callable[[TurnEvent], bool]) -> list[TurnEvent]:
    """Reads up to an event, and leaves."""
    got: list[TurnEvent] = []
    async with aclosing(events):
        async for event in events:
            got.append(event)
            if is_it(event):
                break
    return got


def kind_of(event: TurnEvent) -> str:
    return "unknown" if event.kind is None else event.kind.field


def kinds(events: Iterable[TurnEvent]) -> list[str]:
    return [kind_of(event) for event in events]


def durable(events: Iterable[TurnEvent]) -> list[tuple[int, str]]:
    return [(event.sequence, kind_of(event)) for event in events if event.sequence > 0]


def texts(events: Iterable[TurnEvent]) -> list[str]:
    return [event.kind.value.text for event in events if event.kind is not None and event.kind.field == "text"]


def checkpoints(events: Iterable[TurnEvent]) -> list[tuple[int, bool]]:
    found: list[tuple[int, bool]] = []
    for event in events:
        match event.kind:
            case Oneof("checkpoint", checkpoint):
                found.append((checkpoint.sequence, checkpoint.caught_up))
            case _:
                pass
    return found


async def turn_count(client: BreakglassClient, session_id: str) -> int:
    return len((await client.rpc.list_turns(ListTurnsRequest(session_id=session_id))).turns)
