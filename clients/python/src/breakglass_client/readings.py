"""What is read over many calls: a turn, and a session's changes."""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import BreakglassStreamError, StreamCutError
from .gen.breakglass.v1.breakglass_service_pb import (
    AttachTurnRequest,
    AttachTurnResponse,
    RunTurnRequest,
    RunTurnResponse,
    WatchSessionRequest,
    WatchSessionResponse,
    WatchTurnsRequest,
    WatchTurnsResponse,
)
from .resuming import Taken
from .turn_place import TurnPlace, ends_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .gen.breakglass.v1.breakglass_service_connect import BreakglassServiceClient
    from .gen.breakglass.v1.event_pb import TurnEvent


class TurnReading:
    """Reads one turn: started until its id is known, and attached to from then on."""

    def __init__(self, request: RunTurnRequest | AttachTurnRequest) -> None:
        self._run: RunTurnRequest | None = None
        if isinstance(request, RunTurnRequest):
            self._run = copy.copy(request)
            # With it a start whose answer was lost is joined, and never run twice.
            self._run.request_id = request.request_id or str(uuid.uuid4())
            self._place = TurnPlace("", 0)
        else:
            self._place = TurnPlace(request.turn_id, request.after_sequence)
        self._text_deltas = request.text_deltas
        # A turn that had ended is said to have, and then read: only the stream's end tells that nothing follows.
        self._had_ended = False

    def open(self, rpc: BreakglassServiceClient) -> AsyncIterator[RunTurnResponse | AttachTurnResponse]:
        """Makes the next call."""
        self._had_ended = False
        self._place.reconnect()
        if self._run is not None and self._place.turn_id == "":
            return rpc.run_turn(self._run)
        return rpc.attach_turn(
            AttachTurnRequest(
                turn_id=self._place.turn_id, after_sequence=self._place.sequence, text_deltas=self._text_deltas
            )
        )

    def take(self, message: RunTurnResponse | AttachTurnResponse) -> Taken[TurnEvent]:
        """Takes what came."""
        event = message.event
        if event is None:
            return Taken(None, None, is_new=False, is_last=False)
        place = self._place
        sequence = place.sequence
        before = place.before(event)
        fresh = place.take(event)
        self._had_ended = ended = ends_turn(event)
        return Taken(before, fresh, place.sequence > sequence, ended and event.sequence > 0)

    def ended(self) -> BreakglassStreamError | None:
        """A call's stream ended well."""
        return None if self._had_ended else StreamCutError("the stream ended before its turn")


W = TypeVar("W", WatchSessionRequest, WatchTurnsRequest)
M = TypeVar("M", WatchSessionResponse, WatchTurnsResponse)


class WatchReading(Generic[W, M]):
    """Reads changes from after a cursor. They have no end of their own."""

    def __init__(self, request: W, call: Callable[[BreakglassServiceClient, W], AsyncIterator[M]]) -> None:
        self._request = copy.copy(request)
        self._call = call
        self._is_caught_up = False

    def open(self, rpc: BreakglassServiceClient) -> AsyncIterator[M]:
        """Makes the next call."""
        return self._call(rpc, copy.copy(self._request))

    def take(self, message: M) -> Taken[M]:
        """Takes what came."""
        is_new = message.cursor > self._request.after_cursor
        is_alive = message.change is None and not message.caught_up
        is_catching_up = message.caught_up and not self._is_caught_up
        if is_new:
            self._request.after_cursor = message.cursor
        self._is_caught_up = self._is_caught_up or message.caught_up
        passes = is_new or is_alive or is_catching_up
        return Taken(None, message if passes else None, is_new, is_last=False)

    def ended(self) -> BreakglassStreamError | None:
        """A call's stream ended well."""
        return StreamCutError("the stream ended, and what is watched goes on")
