"""What is made of the events of many connections."""

from __future__ import annotations

import random

import pytest

from breakglass_client import Oneof, SequenceGapError
from breakglass_client.turn_place import TurnPlace, ends_turn
from breakglass_client.v1 import CheckpointEvent, ResultEvent, TextDeltaEvent, TextEvent, TurnEvent, TurnState


def piece(text: str, message_id: str = "m") -> TurnEvent:
    return TurnEvent(turn_id="t", kind=Oneof("text_delta", TextDeltaEvent(text=text, message_id=message_id)))


def text(sequence: int, parent_tool_id: str = "") -> TurnEvent:
    return TurnEvent(turn_id="t", sequence=sequence, kind=Oneof("text", TextEvent(parent_tool_id=parent_tool_id)))


def checkpoint(sequence: int = 0, *, caught_up: bool = False, state: TurnState = TurnState.RUNNING) -> TurnEvent:
    said = CheckpointEvent(sequence=sequence, caught_up=caught_up, state=state)
    return TurnEvent(turn_id="t", kind=Oneof("checkpoint", said))


class Reader:
    """What a client shows that reads by a place."""

    def __init__(self) -> None:
        self.place = TurnPlace("t", 0)
        self.shown = ""
        self._message_id: str | None = None

    def shown_behind(self, *events: TurnEvent) -> str:
        for event in events:
            for given in (self.place.before(event), self.place.take(event)):
                self._show(given)
        return self.shown

    def _show(self, given: TurnEvent | None) -> None:
        if given is None:
            return
        match given.kind:
            case Oneof("text_delta", delta):
                if delta.message_id != self._message_id:
                    self.shown = ""
                self._message_id = delta.message_id
                self.shown += delta.text
            case Oneof("text", whole) if whole.parent_tool_id == "":
                self.shown = ""
                self._message_id = None
            case _:
                pass


def test_pieces_join_whatever_a_connection_repeats_and_wherever_it_is_cut() -> None:
    written = "I look for the lock. I look for the key."
    chance = random.Random(7)
    for _ in range(300):
        reader = Reader()
        furthest = 0
        for _ in range(chance.randrange(6)):
            reader.place.reconnect()
            at = 0
            for length in (chance.randrange(1, 10) for _ in range(chance.randrange(8))):
                if at < len(written):
                    reader.shown_behind(piece(written[at : at + length]))
                at += length
            furthest = max(furthest, at)
            assert reader.shown == written[:furthest]


def test_pieces_are_void_where_another_connection_brings_what_does_not_join() -> None:
    reader = Reader()
    assert reader.shown_behind(checkpoint(caught_up=True), piece("I look")) == "I look"
    reader.place.reconnect()
    assert reader.shown_behind(checkpoint(caught_up=True), piece("We"), piece(" see")) == "We see"
    reader.place.reconnect()
    assert reader.shown_behind(checkpoint(caught_up=True), piece("We see"), piece(" it")) == "We see it"
    reader.place.reconnect()
    assert reader.shown_behind(checkpoint(caught_up=True), piece("I begin", "m2")) == "I begin"


def test_pieces_are_void_where_another_connection_brings_no_more_of_them() -> None:
    reader = Reader()
    assert reader.shown_behind(checkpoint(caught_up=True), piece("I look")) == "I look"
    assert reader.shown_behind(piece("", "m#2")) == ""
    assert reader.shown_behind(piece("I see", "m#2")) == "I see"
    reader.place.reconnect()
    assert reader.shown_behind(checkpoint()) == "I see"
    assert reader.shown_behind(checkpoint(caught_up=True)) == "I see"
    assert reader.shown_behind(checkpoint()) == ""


def test_pieces_are_void_with_the_agents_own_text_alone() -> None:
    reader = Reader()
    assert reader.shown_behind(piece("I look"), text(1, "toolu_1")) == "I look"
    assert reader.shown_behind(text(2), piece("I see")) == "I see"


def test_of_a_text_without_an_end_no_more_is_delivered() -> None:
    place = TurnPlace("t", 0)
    half = "x" * (512 * 1024)
    assert [place.take(piece(half)) is not None for _ in range(3)] == [True, True, False]
    assert place.take(text(1)) is not None
    assert place.take(piece("again")) is not None


def test_a_durable_event_passes_once_and_in_its_place() -> None:
    place = TurnPlace("", 0)
    assert place.take(text(1)) is not None
    assert place.turn_id == "t"
    assert place.take(text(1)) is None
    with pytest.raises(SequenceGapError) as gap:
        place.take(text(3))
    assert (gap.value.last, gap.value.came) == (1, 3)
    assert place.take(text(2)) is not None
    with pytest.raises(SequenceGapError):
        place.take(checkpoint(3))


def test_kinds_that_are_unknown_count_by_their_sequence() -> None:
    place = TurnPlace("t", 0)
    unknown = TurnEvent(turn_id="t", sequence=1)
    assert place.take(unknown) is unknown
    assert place.sequence == 1
    assert not ends_turn(unknown)
    assert place.take(TurnEvent(turn_id="t")) is not None


def test_checkpoints_read_as_of_one_stream() -> None:
    place = TurnPlace("t", 0)

    def passes(*, caught_up: bool) -> bool:
        return place.take(checkpoint(caught_up=caught_up)) is not None

    assert [passes(caught_up=said) for said in (False, True, False)] == [True, True, True]
    place.reconnect()
    assert [passes(caught_up=said) for said in (False, True, False)] == [False, False, True]


def test_tells_what_ends_a_turn() -> None:
    live = [TurnState.RUNNING, TurnState.QUEUED, TurnState.AWAITING_APPROVAL]
    assert [ends_turn(checkpoint(state=state)) for state in live] == [False] * 3
    assert ends_turn(checkpoint(state=TurnState.LOST))
    assert ends_turn(checkpoint(state=TurnState(99)))
    assert ends_turn(TurnEvent(sequence=1, kind=Oneof("result", ResultEvent())))
    assert not ends_turn(text(1))
