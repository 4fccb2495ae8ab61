"""What can go wrong: refusals of the server by reason, and streams that broke."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from connectrpc.errors import ConnectError
from protobuf import Message

from .gen.google.rpc import error_details_pb as details

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

M = TypeVar("M", bound=Message)


class Reason(StrEnum):
    """Why the server refuses a call. A newer server may have others: those stay plain strings."""

    AGENT_KIND_MISMATCH = "AGENT_KIND_MISMATCH"
    AGENT_KIND_NOT_SERVED = "AGENT_KIND_NOT_SERVED"
    AGENT_NOT_ALLOWED = "AGENT_NOT_ALLOWED"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVAL_NOT_FOUND = "APPROVAL_NOT_FOUND"
    APPROVAL_RESOLVED = "APPROVAL_RESOLVED"
    BODY_TIMEOUT = "BODY_TIMEOUT"
    BYPASS_FORBIDDEN = "BYPASS_FORBIDDEN"
    DATA_LOSS = "DATA_LOSS"
    DRAINING = "DRAINING"
    FENCED = "FENCED"
    INTERRUPT_NOT_OBEYED = "INTERRUPT_NOT_OBEYED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_ALLOWED = "NOT_ALLOWED"
    NOT_FOUND = "NOT_FOUND"
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    ROLE_MISSING = "ROLE_MISSING"
    SELF_APPROVAL_FORBIDDEN = "SELF_APPROVAL_FORBIDDEN"
    SESSION_ELSEWHERE = "SESSION_ELSEWHERE"
    SESSION_FULL = "SESSION_FULL"
    SPENDING_LIMIT = "SPENDING_LIMIT"
    STORAGE = "STORAGE"
    STREAM_ENDED = "STREAM_ENDED"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS"
    TOO_MANY_TURNS = "TOO_MANY_TURNS"
    TURN_ENDED = "TURN_ENDED"
    TURN_IN_PROGRESS = "TURN_IN_PROGRESS"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNSUPPORTED_BY_AGENT = "UNSUPPORTED_BY_AGENT"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of the request that breaks its rule."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What a refusal says of itself, for programs."""

    reason: Reason | str
    """Why. A `Reason`, or the string where a newer server has another one."""
    metadata: Mapping[str, str]
    """What belongs to the reason, as `turn_id` to `TURN_IN_PROGRESS`."""
    retry_delay: timedelta | None
    """So long the server asks to be left alone. None: it does not say that trying again helps."""
    violations: tuple[FieldViolation, ...]
    """With `INVALID_ARGUMENT`: the fields."""


class BreakglassStreamError(Exception):
    """A stream broke, and no status says so. Its kinds follow."""


class StreamCutError(BreakglassStreamError):
    """A stream ended well, but what it tells of has not: something between the server and here cut it."""


class SilenceError(BreakglassStreamError):
    """Nothing was heard for longer than a server is ever silent: the connection is dead, though nobody said so."""


class ClientClosedError(BreakglassStreamError):
    """The client was closed while a stream was read, or before. Not tried again."""


class SequenceGapError(BreakglassStreamError):
    """The server sent an event, or said it had, that does not follow the one before it."""

    def __init__(self, last: int, came: int) -> None:
        super().__init__(f"the server went on with event {came} after {last}: what is between them is missing")
        self.last = last
        """The sequence of what was delivered last."""
        self.came = came
        """The sequence that came instead of the one after it."""


def error_info(error: BaseException) -> ErrorInfo | None:
    """Reads what a refusal says of itself.

    Returns:
        None for whatever is no refusal by a breakglass server: a broken connection, a proxy's word.
    """
    if not isinstance(error, ConnectError):
        return None
    info = detail(error, details.ErrorInfo)
    if info is None:
        return None
    reason = Reason(info.reason) if info.reason in Reason.__members__ else info.reason
    bad = detail(error, details.BadRequest)
    violations = () if bad is None else tuple(bad.field_violations)
    return ErrorInfo(
        reason=reason,
        metadata=dict(info.metadata),
        retry_delay=retry_delay(error),
        violations=tuple(FieldViolation(v.field, v.description) for v in violations),
    )


def retry_delay(error: BaseException) -> timedelta | None:
    """How long the server asks to be left alone before another try. None: it does not say that one helps."""
    if not isinstance(error, ConnectError):
        return None
    info = detail(error, details.RetryInfo)
    if info is None or info.retry_delay is None:
        return None
    return info.retry_delay.to_timedelta()


def detail(error: ConnectError, kind: type[M]) -> M | None:
    """The first detail of a kind. None: there is none that can be read."""
    name = kind.desc().type_name
    for found in error.details:
        if found.type_name == name:
            try:
                return found.value(kind)
            except ValueError:
                return None
    return None
