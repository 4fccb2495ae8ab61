"""The rows of docs/clients.md: what is tried again, how often, and when."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from protobuf.wkt import Duration
from serving import REPOSITORY

import breakglass_client.v1
from breakglass_client import (
    BackOff,
    Code,
    ConnectError,
    Reason,
    SequenceGapError,
    SilenceError,
    StreamCutError,
    error_info,
)
from breakglass_client.gen.google.rpc.error_details_pb import ErrorInfo, RetryInfo
from breakglass_client.outage import Outage, retries_of

FOR_EVER = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.ABORTED, Code.CANCELED}
DOUBTFUL = {Code.INTERNAL, Code.UNKNOWN}


def answer(code: Code, retry_seconds: int | None = None) -> ConnectError:
    info = ErrorInfo(domain="breakglass", reason="SOME_REASON", metadata={"key": "value"})
    if retry_seconds is None:
        return ConnectError(code, "no", [info])
    return ConnectError(code, "no", [info, RetryInfo(retry_delay=Duration(seconds=retry_seconds))])


def broken(code: Code) -> ConnectError:
    error = ConnectError(code, "broken")
    error.__cause__ = ConnectionError("reset")
    return error


@pytest.mark.parametrize("code", list(Code))
def test_what_is_answered_is_tried_again_where_that_can_help(code: Code) -> None:
    assert retries_of(answer(code)) == (math.inf if code in FOR_EVER else 5 if code in DOUBTFUL else 0)
    assert retries_of(answer(code, retry_seconds=1)) == math.inf


@pytest.mark.parametrize("code", list(Code))
def test_a_connection_that_breaks_is_tried_again_whatever_its_code(code: Code) -> None:
    final = {Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED}
    assert retries_of(broken(code)) == (0 if code in final else 5 if code is Code.RESOURCE_EXHAUSTED else math.inf)


@pytest.mark.parametrize("code", list(Code))
def test_an_error_of_nobody_knows_whom_is_tried_again_by_its_code(code: Code) -> None:
    doubtful = DOUBTFUL | {Code.RESOURCE_EXHAUSTED}
    assert retries_of(ConnectError(code, "hm")) == (math.inf if code in FOR_EVER else 5 if code in doubtful else 0)


def test_gaps_cuts_and_silence() -> None:
    assert retries_of(SequenceGapError(1, 3)) == 1
    assert retries_of(StreamCutError()) == math.inf
    assert retries_of(SilenceError()) == math.inf


def test_waits_grow_to_the_longest_and_are_left_to_chance_by_half() -> None:
    outage = Outage(BackOff(), 40)
    outage.heard(is_new=True)
    for n in range(2000):
        wait = outage.failed(broken(Code.UNAVAILABLE))
        assert wait is not None
        grown = min(0.25 * 2.0 ** min(n, 50), 10)
        assert grown / 2 <= wait <= grown


def test_waits_as_long_as_the_server_asks_for_and_not_longer_than_it_is_tried() -> None:
    outage = Outage(BackOff(), 40)
    outage.heard(is_new=True)
    assert outage.failed(answer(Code.RESOURCE_EXHAUSTED, retry_seconds=20)) == 20
    assert outage.failed(answer(Code.UNAVAILABLE, retry_seconds=601)) is None


def test_doubtful_failures_are_counted_since_the_last_progress() -> None:
    outage = Outage(BackOff(), 40)
    for _ in range(3):
        tries = [outage.failed(answer(Code.INTERNAL)) is not None for _ in range(6)]
        assert tries == [True] * 5 + [False]
        outage.heard(is_new=True)
    outage.failed(answer(Code.INTERNAL))
    outage.heard(is_new=False)
    assert [outage.failed(answer(Code.INTERNAL)) is not None for _ in range(5)] == [True] * 4 + [False]


def test_gives_up_after_its_time() -> None:
    now = 1000.0
    never_heard, silent, heard = (Outage(BackOff(), 40, lambda: now) for _ in range(3))
    silent.failed(SilenceError())
    heard.heard(is_new=True)
    heard.failed(StreamCutError())
    outages = (never_heard, silent, heard)
    for seconds, expected in ((29, [True, True, True]), (31, [False, True, True]), (121, [False, False, True])):
        now = 1000.0 + seconds
        assert [outage.failed(StreamCutError()) is not None for outage in outages] == expected
    now = 1601.0
    assert heard.failed(StreamCutError()) is None


def test_a_reason_that_is_unknown_stays_a_string() -> None:
    info = error_info(answer(Code.UNAVAILABLE, retry_seconds=2))
    assert info is not None
    assert (info.reason, info.metadata) == ("SOME_REASON", {"key": "value"})
    assert info.retry_delay is not None
    assert info.retry_delay.total_seconds() == 2
    assert error_info(broken(Code.INTERNAL)) is None
    assert error_info(ValueError()) is None


def test_knows_every_reason_of_the_documentation() -> None:
    refusals = (REPOSITORY / "docs" / "api.md").read_text().split("## Refusals")[1].split("\n## ")[0]
    first_columns = [line.split("|")[1] for line in refusals.splitlines() if line.startswith("| `")]
    told = {reason for column in first_columns for reason in re.findall(r"`([A-Z_]+)`", column.partition("·")[2])}
    assert told == {str(reason) for reason in Reason}


def test_shows_every_message_of_the_protocol() -> None:
    generated = Path(breakglass_client.v1.__file__).parent / "gen" / "breakglass" / "v1"
    found = {
        name
        for file in generated.glob("*_pb.py")
        for name in re.findall(r"^class (\w+)\(", file.read_text(), re.MULTILINE)
    }
    assert set(breakglass_client.v1.__all__) == found | {"BreakglassServiceClient"}
