"""The client: turns and sessions over connections that break."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from .connection import Connection, Protocol
from .gen.breakglass.v1.breakglass_service_pb import AttachTurnRequest, GetTurnRequest
from .outage import Outage
from .readings import TurnReading, WatchReading
from .resuming import ConnectionLost, StreamOptions, resume

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType
    from typing import Self

    from .gen.breakglass.v1.breakglass_service_connect import BreakglassServiceClient
    from .gen.breakglass.v1.breakglass_service_pb import (
        RunTurnRequest,
        WatchSessionRequest,
        WatchSessionResponse,
        WatchTurnsRequest,
        WatchTurnsResponse,
    )
    from .gen.breakglass.v1.event_pb import ErrorEvent, PermissionDenial, ResultEvent, TurnEvent, Usage
    from .gen.breakglass.v1.turn_pb import Turn


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """How a turn ended."""

    turn: Turn
    """The turn as the server has it, with its state."""
    result: ResultEvent | None
    """The agent's own end of the turn. None: something else ended it, and `error` says what."""
    error: ErrorEvent | None
    """What ended the turn where the agent did not."""

    @property
    def succeeded(self) -> bool:
        """Whether the agent ended the turn without an error. Look at `permission_denials` too."""
        return self.result is not None and not self.result.is_error

    @property
    def text(self) -> str:
        """The agent's last words; else what went wrong, for people."""
        if self.result is not None:
            return self.result.result
        return "" if self.error is None else self.error.message

    @property
    def usage(self) -> Usage | None:
        """Tokens used by the turn. None: unknown."""
        return self.turn.usage

    @property
    def total_cost_usd(self) -> float:
        """What the turn cost, in US dollars, as the agent reckons. 0: nothing, or unknown."""
        return self.turn.total_cost_usd

    @property
    def permission_denials(self) -> tuple[PermissionDenial, ...]:
        """Tool calls that were denied. A turn with denials may not have done what it says."""
        return () if self.result is None else tuple(self.result.permission_denials)


class BreakglassClient:
    """A client of one server, for one event loop. Close it, or open it by `async with`.

    Its calls raise `connectrpc.errors.ConnectError`; `error_info` tells why the server refused.

    Args:
        url: `http://HOST:PORT` for cleartext, `https://…` for TLS.
        token: The bearer token, where the server has tokens.
        protocol: `grpc` over HTTP/2; `grpc-web` and `connect` pass proxies that know HTTP/1.1 only.
        tls_ca_cert: The certificates, as PEM, that the server's is held to. None: the system's.
        options: How streams are read over connections that break.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        protocol: Protocol = "grpc",
        tls_ca_cert: bytes | None = None,
        options: StreamOptions | None = None,
    ) -> None:
        self._connection = Connection(url, token, protocol, tls_ca_cert)
        self._options = StreamOptions() if options is None else options

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the connection and every stream that is read: by `ClientClosedError`. Turns go on. Idempotent."""
        await self._connection.aclose()

    @property
    def rpc(self) -> BreakglassServiceClient:
        """The generated client, for everything that is answered once: `await client.rpc.cancel_turn(…)`.

        Not to be kept: a connection that is dead is given up, and its generated client with it.
        """
        return self._connection.rpc

    def stream_turn(
        self, request: RunTurnRequest | AttachTurnRequest, *, options: StreamOptions | None = None
    ) -> AsyncGenerator[TurnEvent, None]:
        """Streams one turn to its end over as many connections as that takes.

        Every durable event comes once and in order: from the first of a RunTurnRequest, from after `after_sequence` of
        an AttachTurnRequest. It ends after the terminal event, or after the checkpoint of a turn that had ended before.
        Kinds that are unknown come too; their `kind` is None.

        A start without a `request_id` gets one, so that one whose answer was lost is joined, and never run twice.

        Events that are not durable read as of one stream too: of the checkpoints that open a connection only the first
        comes, and `caught_up` is said once. With `text_deltas` the pieces of one message join to the text so far over
        connections too. They have no place of their own, and the `text` that follows is what counts.

        Leaving the loop, canceling the task and `aclose` end the reading and every wait, and never the turn. Where it
        matters when, leave by `async with contextlib.aclosing(client.stream_turn(…)) as events`.

        Raises:
            ConnectError: The server refuses for good, or was not reached for as long as the back-off says.
            BreakglassStreamError: Likewise; the last failure was none that has a status. Or the client is closed.
        """
        return resume(TurnReading(request), self._connection, options or self._options)

    async def run_turn(
        self,
        request: RunTurnRequest | AttachTurnRequest,
        *,
        on_event: Callable[[TurnEvent], None] | None = None,
        options: StreamOptions | None = None,
    ) -> TurnOutcome:
        """Reads a turn to its end, as `stream_turn` does, and answers how it ended.

        A turn that fails is an outcome, and no exception. Canceling ends the reading, never the turn.

        Args:
            request: The turn to start, or the one to read.
            on_event: Told of each event. What it raises ends the reading.
            options: How the stream is read over connections that break.

        Raises:
            ConnectError: As `stream_turn`.
            BreakglassStreamError: As `stream_turn`.
        """
        options = options or self._options
        last: TurnEvent | None = None
        async with aclosing(self.stream_turn(request, options=options)) as events:
            async for event in events:
                last = event
                if on_event is not None:
                    on_event(event)
        if last is None:  # pragma: no cover - a stream opens with a checkpoint
            raise RuntimeError("a stream ended without an event")
        turn = await self._get_turn(last.turn_id, options)
        if last.sequence == 0:
            # It was read from behind its end.
            behind = AttachTurnRequest(turn_id=turn.turn_id, after_sequence=turn.last_sequence - 1)
            async with aclosing(self.stream_turn(behind, options=options)) as events:
                last = [event async for event in events][-1]
        return _outcome_of(turn, last)

    def watch_session(
        self, request: WatchSessionRequest, *, options: StreamOptions | None = None
    ) -> AsyncGenerator[WatchSessionResponse, None]:
        """Watches a session over as many connections as that takes.

        Every change comes once and in order, from after `after_cursor`. Messages without a change read as of one stream
        too: `caught_up` is said once, and those that say that the server is there still all come. It has no end of its
        own; leave it as `stream_turn`.

        Raises:
            ConnectError: As `stream_turn`; NOT_FOUND where the session is deleted.
            BreakglassStreamError: As `stream_turn`.
        """
        reading = WatchReading(request, lambda rpc, after: rpc.watch_session(after))
        return resume(reading, self._connection, options or self._options)

    def watch_turns(
        self, request: WatchTurnsRequest, *, options: StreamOptions | None = None
    ) -> AsyncGenerator[WatchTurnsResponse, None]:
        """Watches all turns that the caller may see, and what waits for an approval in them.

        Every change comes once and in order, from after `after_cursor`, over as many connections as that takes. From 0
        on it begins with what has not ended and what waits. Messages without a change, and leaving, are as in
        `watch_session`.

        Raises:
            ConnectError: As `stream_turn`; OUT_OF_RANGE where some of what follows the cursor was removed with its
                turns: watch from 0, and forget what was known.
            BreakglassStreamError: As `stream_turn`.
        """
        reading = WatchReading(request, lambda rpc, after: rpc.watch_turns(after))
        return resume(reading, self._connection, options or self._options)

    async def _get_turn(self, turn_id: str, options: StreamOptions) -> Turn:
        """The turn as it is, asked for over connections that break."""
        outage = Outage(options.back_off, options.silence)
        # It was heard: the stream has just ended.
        outage.is_heard = True
        while True:
            rpc = self._connection.rpc
            try:
                response = await rpc.get_turn(GetTurnRequest(turn_id=turn_id))
            except ConnectError as error:
                retry_in = outage.failed(error)
                if retry_in is None:
                    raise
                self._connection.check_open()
                if error.code is Code.DEADLINE_EXCEEDED:
                    await self._connection.drop(rpc)
                options.on_connection(ConnectionLost(error, retry_in, outage.failures, was_connected=True))
                await self._connection.sleep(retry_in)
            else:
                if response.turn is None:
                    raise RuntimeError("the server answered without a turn")
                return response.turn


def _outcome_of(turn: Turn, last: TurnEvent) -> TurnOutcome:
    kind = last.kind
    result = kind.value if kind is not None and kind.field == "result" else None
    error = kind.value if kind is not None and kind.field == "error" else None
    return TurnOutcome(turn, result, error)
