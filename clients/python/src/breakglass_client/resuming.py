"""Reads a stream to its end over as many calls as that takes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from connectrpc.errors import ConnectError

from .errors import BreakglassStreamError, SilenceError
from .outage import BackOff, Outage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from .connection import Connection
    from .gen.breakglass.v1.breakglass_service_connect import BreakglassServiceClient

M = TypeVar("M")
T = TypeVar("T")

# How long the end of a stream is waited for after that of what it tells.
FINISH = 1.0


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A connection broke, and another try is due."""

    error: Exception
    """Why: a ConnectError or a BreakglassStreamError."""
    retry_in: float
    """When the next try begins, in seconds."""
    failures: int
    """How many calls failed since something new was read; 1 for the first."""
    was_connected: bool
    """Whether the server was ever heard."""


@dataclass(frozen=True, slots=True)
class ConnectionBack:
    """The server was heard again."""


ConnectionChange: TypeAlias = ConnectionLost | ConnectionBack


def ignore(_change: ConnectionChange) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a stream is read over connections that break."""

    back_off: BackOff = field(default_factory=BackOff)
    """The waits between tries, and when to give up."""
    silence: float = 40.0
    """The longest silence, in seconds, before a connection is taken for dead. A server is never silent for 15 s."""
    on_connection: Callable[[ConnectionChange], None] = ignore
    """Told of every connection that is lost, and of the one that takes its place. What it raises ends the stream."""


class Taken(NamedTuple, Generic[T]):
    """What a reading made of a message."""

    before: T | None
    """What to deliver before `fresh`."""
    fresh: T | None
    """What to deliver. None: nothing, or it was delivered before."""
    is_new: bool
    """The reading is further than it was."""
    is_last: bool
    """Nothing can follow."""


class Reading(Protocol[M, T]):
    """Something that is read over any number of calls, from where the reading is."""

    def open(self, rpc: BreakglassServiceClient) -> AsyncIterator[M]:
        """Makes the next call."""
        ...

    def take(self, message: M) -> Taken[T]:
        """Takes what came. The BreakglassStreamError that it raises is a failure of the call."""
        ...

    def ended(self) -> BreakglassStreamError | None:
        """A call's stream ended well. None where that is the end, or why the call failed."""
        ...


async def resume(reading: Reading[M, T], connection: Connection, options: StreamOptions) -> AsyncGenerator[T, None]:
    """Reads to the end over as many calls as that takes.

    Raises:
        ConnectError: The server refuses for good, or was not reached for as long as the back-off says.
        BreakglassStreamError: Likewise, or the connection is closed for good.
    """
    outage = Outage(options.back_off, options.silence)
    while True:
        connection.check_open()
        rpc = connection.rpc
        call = StreamCall(reading.open(rpc), options.silence, connection)
        try:
            while (message := await call.next()) is not None:
                taken = reading.take(message)
                if outage.heard(is_new=taken.is_new):
                    options.on_connection(ConnectionBack())
                if taken.before is not None:
                    yield taken.before
                if taken.fresh is not None:
                    yield taken.fresh
                if taken.is_last:
                    await call.finish(FINISH)
                    return
            failure = reading.ended()
        except (CallFailedError, BreakglassStreamError) as error:
            failure = error.failure if isinstance(error, CallFailedError) else error
        finally:
            await call.aclose()
        if failure is None:
            return
        connection.check_open()
        await _wait_for_retry(failure, outage, options, connection, rpc)


async def _wait_for_retry(
    failure: Exception, outage: Outage, options: StreamOptions, connection: Connection, rpc: BreakglassServiceClient
) -> None:
    """Waits until another call is due; raises the failure where none is."""
    retry_in = outage.failed(failure)
    if retry_in is None:
        raise failure
    if isinstance(failure, SilenceError):
        await connection.drop(rpc)
    options.on_connection(ConnectionLost(failure, retry_in, outage.failures, outage.is_heard))
    await connection.sleep(retry_in)


class CallFailedError(Exception):
    """A call failed; what a reader raises into the stream is none of it."""

    def __init__(self, failure: ConnectError) -> None:
        super().__init__(failure)
        self.failure = failure


class StreamCall(Generic[M]):
    """One call that streams messages. Whoever made it closes it.

    1. Silence is the server's: only while a message is waited for does it count.
    2. One timer at a time, however many messages come.
    3. It ends with its connection.
    """

    def __init__(self, messages: AsyncIterator[M], silence: float, connection: Connection) -> None:
        self._messages = messages
        self._connection = connection
        self._silence = silence
        self._is_heard = False
        # Who waits for a message, and since when. None: nobody does.
        self._waiting: asyncio.Task[object] | None = None
        self._since = 0.0
        self._cancelling = 0
        # Why it was ended from this side.
        self._ended_by: BreakglassStreamError | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(silence, self._watch)
        connection.when_closed(self.end)

    async def next(self) -> M | None:
        """The next message. None: the stream has ended.

        Raises:
            CallFailedError: The call failed.
            SilenceError: Nothing came for too long.
            ClientClosedError: The connection was closed.
            asyncio.CancelledError: The reader's task was canceled.
        """
        if self._ended_by is not None:
            raise self._ended_by
        self._waiting = task = asyncio.current_task()
        self._since = time.monotonic()
        try:
            message = await anext(self._messages)
        except StopAsyncIteration:
            return None
        except (ConnectError, asyncio.CancelledError) as error:
            raise self._meaning(error, task) from error.__cause__
        finally:
            self._waiting = None
        self._is_heard = True
        return message

    async def finish(self, seconds: float) -> None:
        """Reads to the end of a stream that has nothing more to tell, so that nothing is reset.

        For at most so long, and whatever comes: it was over before it broke.
        """
        try:
            async with asyncio.timeout(seconds):
                while await self.next() is not None:
                    pass
        except (TimeoutError, CallFailedError, BreakglassStreamError):
            pass

    def end(self, why: BreakglassStreamError) -> None:
        """Has who waits for a message, or will, be told why there is none."""
        if self._ended_by is not None:
            return
        self._ended_by = why
        if self._waiting is not None:
            self._cancelling = self._waiting.cancelling()
            self._waiting.cancel()

    async def aclose(self) -> None:
        """Ends the call; nothing of it outlives that. Idempotent."""
        self._timer.cancel()
        self._connection.no_longer_when_closed(self.end)
        close = getattr(self._messages, "aclose", None)
        if close is not None:
            await close()

    def _watch(self) -> None:
        waited = 0.0 if self._waiting is None else time.monotonic() - self._since
        if self._waiting is not None and waited >= self._silence:
            hint = "" if self._is_heard else ": a proxy in between may be holding the answer back"
            self.end(SilenceError(f"nothing was heard for {self._silence:g} s{hint}"))
        else:
            self._timer = self._loop.call_later(self._silence - waited, self._watch)

    def _meaning(self, error: BaseException, task: asyncio.Task[object] | None) -> BaseException:
        """What an error means: connectrpc makes one of its own of the task's cancellation."""
        canceled = error if isinstance(error, asyncio.CancelledError) else error.__cause__
        if not isinstance(canceled, asyncio.CancelledError):
            return CallFailedError(error) if isinstance(error, ConnectError) else error
        why, self._ended_by = self._ended_by, None
        # Or somebody else canceled it too.
        if why is None or task is None or task.uncancel() > self._cancelling:
            return canceled
        return why
