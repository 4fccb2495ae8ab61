"""Reads turns of a breakglass server over connections that break: every event once and in order."""

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from protobuf import Oneof

from .client import BreakglassClient, TurnOutcome
from .connection import Protocol
from .errors import (
    BreakglassStreamError,
    ClientClosedError,
    ErrorInfo,
    FieldViolation,
    Reason,
    SequenceGapError,
    SilenceError,
    StreamCutError,
    error_info,
)
from .gen.breakglass.v1.breakglass_service_pb import (
    AttachTurnRequest,
    RunTurnRequest,
    WatchSessionRequest,
    WatchTurnsRequest,
)
from .outage import BackOff
from .resuming import ConnectionBack, ConnectionChange, ConnectionLost, StreamOptions

__all__ = [
    "AttachTurnRequest",
    "BackOff",
    "BreakglassClient",
    "BreakglassStreamError",
    "ClientClosedError",
    "Code",
    "ConnectError",
    "ConnectionBack",
    "ConnectionChange",
    "ConnectionLost",
    "ErrorInfo",
    "FieldViolation",
    "Oneof",
    "Protocol",
    "Reason",
    "RunTurnRequest",
    "SequenceGapError",
    "SilenceError",
    "StreamCutError",
    "StreamOptions",
    "TurnOutcome",
    "WatchSessionRequest",
    "WatchTurnsRequest",
    "error_info",
]
