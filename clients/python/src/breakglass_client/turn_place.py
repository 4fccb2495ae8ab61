"""How far a turn was read, over any number of connections."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from protobuf import Oneof

from .errors import SequenceGapError
from .gen.breakglass.v1.event_pb import CheckpointEvent, TextDeltaEvent, TurnEvent, TurnState
from .text_pieces import TextPieces

if TYPE_CHECKING:
    from typing import Literal

LIVE = frozenset({TurnState.RUNNING, TurnState.QUEUED, TurnState.AWAITING_APPROVAL})


def ends_turn(event: TurnEvent) -> bool:
    """Whether nothing of the turn can follow: its terminal event, or a checkpoint that says that it has ended."""
    match event.kind:
        case Oneof("checkpoint", checkpoint):
            # A state that is unknown is taken for an end.
            return checkpoint.state not in LIVE
        case Oneof("result" | "error"):
            return True
        case _:
            return False


class TurnPlace:
    """Makes one stream of many connections.

    1. A durable event passes once, and only where it follows the one before.
    2. The checkpoint that opens a connection passes once, and so does the first that says `caught_up`; those that say
       that the server is there still, all pass.

    Args:
        turn_id: Empty until the server has told it.
        sequence: Everything up to this one was delivered, or was not asked for.
    """

    def __init__(self, turn_id: str, sequence: int) -> None:
        self.turn_id = turn_id
        self.sequence = sequence
        self._is_opened = False
        self._is_caught_up = False
        self._is_at_start = True
        # This connection has not brought yet what there was when it began.
        self._is_behind = True
        self._pieces = TextPieces()

    def reconnect(self) -> None:
        """What comes next comes over another connection."""
        self._is_at_start = True
        self._is_behind = True
        self._pieces.reconnect()

    def before(self, event: TurnEvent) -> TurnEvent | None:
        """What is to be delivered before an event that the server sent next.

        The text that is being written follows the checkpoint that says `caught_up`: where it does not, what the
        connection before brought of it is void.
        """
        if self._is_behind or not self._pieces.is_unconfirmed:
            return None
        if event.kind is not None and event.kind.field == "text_delta":
            return None
        return _with_piece(event, self._pieces.void())

    def take(self, event: TurnEvent) -> TurnEvent | None:
        """Takes what the server sent next.

        Returns:
            The event to deliver. None: there is none, or it was delivered before.

        Raises:
            SequenceGapError: Events are missing before it.
        """
        is_at_start = self._is_at_start
        self._is_at_start = False
        sequence = event.sequence
        if sequence == 0:
            self.turn_id = self.turn_id or event.turn_id
            return self._take_passing(event, is_at_start=is_at_start)
        if sequence != self.sequence + 1:
            if sequence <= self.sequence:
                return None
            raise SequenceGapError(self.sequence, sequence)
        self.turn_id = self.turn_id or event.turn_id
        self.sequence = sequence
        kind = event.kind
        if kind is not None and kind.field == "text":
            self._pieces.note_text(kind.value)
        return event

    def _take_passing(self, event: TurnEvent, *, is_at_start: bool) -> TurnEvent | None:
        match event.kind:
            case Oneof("checkpoint", checkpoint):
                if checkpoint.caught_up:
                    self._is_behind = False
                return event if self._passes(checkpoint, is_at_start=is_at_start) else None
            case Oneof("text_delta", piece):
                given = self._pieces.take(piece)
                return None if given is None else _with_piece(event, given)
            case _:
                return event

    def _passes(self, checkpoint: CheckpointEvent, *, is_at_start: bool) -> bool:
        if checkpoint.sequence > self.sequence:
            raise SequenceGapError(self.sequence, checkpoint.sequence + 1)
        is_opening = is_at_start and not self._is_opened
        is_catching_up = checkpoint.caught_up and not self._is_caught_up
        is_alive = not is_at_start and not checkpoint.caught_up
        self._is_opened = True
        self._is_caught_up = self._is_caught_up or checkpoint.caught_up
        return is_opening or is_catching_up or is_alive


def _with_piece(event: TurnEvent, piece: TextDeltaEvent) -> TurnEvent:
    field: Literal["text_delta"] = "text_delta"
    given = copy.copy(event)
    given.sequence = 0
    given.kind = Oneof(field, piece)
    return given
