"""The pieces of a text that the agent is writing, over connections."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from .gen.breakglass.v1.event_pb import TextDeltaEvent

if TYPE_CHECKING:
    from .gen.breakglass.v1.event_pb import TextEvent

# In characters; far more than a server gives of a text that is being written.
MAX_LENGTH = 1024 * 1024


class TextPieces:
    """Joins the pieces of a text over connections.

    A new connection begins with the whole text so far: what of it was delivered before is not delivered again. What
    was delivered and is void is followed by a piece of another message id, which may be empty. Of a message that goes
    on past 1 Mi characters no more pieces are delivered: its `text` brings it whole.
    """

    def __init__(self) -> None:
        # As the server gave it last.
        self._message_id: str | None = None
        # As it was delivered; where the server cannot know that another piece takes its place, it differs.
        self._shown_id = ""
        self._delivered = ""
        # More of the message than is delivered has come.
        self._is_full = False
        # What came over this connection of a text that the one before had begun. None: all of that is known.
        self._repeated: str | None = None

    def reconnect(self) -> None:
        """What comes next comes over another connection."""
        self._repeated = None if self._delivered == "" else ""

    @property
    def is_unconfirmed(self) -> bool:
        """Pieces were delivered of which this connection has brought none."""
        return self._repeated == ""

    def note_text(self, text: TextEvent) -> None:
        """Takes note of a durable text: the agent's own makes all pieces void."""
        if text.parent_tool_id == "":
            self._forget()

    def void(self) -> TextDeltaEvent:
        """The piece that says that what was delivered is void."""
        message_id = self._other_id(self._message_id or "")
        self._forget()
        return TextDeltaEvent(text="", message_id=message_id)

    def take(self, piece: TextDeltaEvent) -> TextDeltaEvent | None:
        """Takes a piece.

        Returns:
            What is to be delivered. None: nothing of it is new.
        """
        fresh = self._fresh_of(piece)
        if fresh is None or (fresh == "" and piece.text != ""):
            return None
        self._is_full = self._is_full or len(self._delivered) + len(fresh) > MAX_LENGTH
        if self._is_full:
            return None
        self._delivered += fresh
        given = copy.copy(piece)
        given.message_id = self._shown_id
        given.text = fresh
        return given

    def _fresh_of(self, piece: TextDeltaEvent) -> str | None:
        if piece.message_id != self._message_id or piece.text == "":
            self._begin(piece.message_id)
            return piece.text
        if self._repeated is None:
            return piece.text
        self._repeated += piece.text
        repeated = self._repeated
        if repeated.startswith(self._delivered):
            self._repeated = None
            return repeated[len(self._delivered) :]
        if self._delivered.startswith(repeated):
            return None
        self._begin(piece.message_id)
        return repeated

    def _begin(self, message_id: str) -> None:
        shown_id = self._other_id(message_id)
        self._forget()
        self._message_id = message_id
        self._shown_id = shown_id

    def _other_id(self, message_id: str) -> str:
        """The message's id, made to differ from the one of what was delivered."""
        is_taken = self._delivered != "" and message_id == self._shown_id
        return f"{message_id}@2" if is_taken else message_id

    def _forget(self) -> None:
        self._message_id = None
        self._delivered = ""
        self._is_full = False
        self._repeated = None
