"""When a failure is worth another try, when to make it, and when to give up."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from .errors import SequenceGapError, SilenceError, error_info, retry_delay

if TYPE_CHECKING:
    from collections.abc import Callable

DOUBTFUL_RETRIES = 5
GAP_RETRIES = 1
# A server that was never heard is given so many silences: the calls behind the first one may be answered.
FIRST_SILENCES = 3

# What trying again can mend, whoever says it.
MENDED = {
    Code.UNAVAILABLE,  # DRAINING, STREAM_ENDED, STORAGE, FENCED; and a proxy that finds no server behind it.
    Code.DEADLINE_EXCEEDED,  # A proxy's time limit, or a deadline of the call. The turn goes on.
    Code.ABORTED,  # A proxy that lost its own connection to the server.
    Code.CANCELED,  # A server, or a proxy, that took this client for gone.
}
# "internal error" is a defect of the server, and may be one of the moment; UNKNOWN is what a proxy says of its own.
DOUBTFUL = {Code.INTERNAL, Code.UNKNOWN}
# Somebody answered, if only by an HTTP status, and will say the same again.
FINAL_OF_TRANSPORT = {Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED}


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait before each try, and when to give up. All in seconds."""

    first: float = 0.25
    """Before the first try; each further wait is twice as long."""
    longest: float = 10.0
    """No wait is longer, unless the server asks for it."""
    jitter: float = 0.5
    """Which part of each wait is left to chance, 0 to 1, so that not all readers come back at once."""
    give_up: float = 600.0
    """How long to keep trying a server that was heard before."""
    first_give_up: float = 30.0
    """How long to keep trying one that was never heard; at least three silences where it says nothing."""


class Outage:
    """Whether there is a connection, for how long there has been none, and when to try again.

    Args:
        back_off: The waits.
        silence: How long a call waits for a word, in seconds.
        clock: The time, in seconds, which nobody sets.
    """

    def __init__(self, back_off: BackOff, silence: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_heard = False
        """Whether the server was ever heard."""
        self.failures = 0
        """How many calls failed since something new was read."""
        self._back_off = back_off
        self._silence = silence
        self._clock = clock
        self._doubtful = 0
        self._was_silent = False
        self._is_lost = False
        # Since when nothing is heard, or was noticed not to be; None while there is a connection.
        self._since: float | None = clock()
        self._connected_since = 0.0

    def heard(self, *, is_new: bool) -> bool:
        """Takes note of a message; `is_new`: it brings the reading forward.

        Returns:
            Whether it is the first after a failure.
        """
        if is_new and self._since is None:
            self.failures = self._doubtful = 0
            return False
        now = self._clock()
        if self._since is not None:
            self._connected_since = now
        # A turn can be silent for long: a connection that held is progress too.
        if is_new or now - self._connected_since > self._back_off.longest:
            self.failures = self._doubtful = 0
        is_back = self._is_lost
        self._since = None
        self._is_lost = False
        self.is_heard = True
        return is_back

    def failed(self, error: Exception) -> float | None:
        """Takes note of a failed call.

        Returns:
            After how many seconds to try again. None: never.
        """
        now = self._clock()
        # From when it is noticed: a machine that slept through an outage has not tried for so long.
        if self._since is None:
            self._since = now
        self._is_lost = True
        self._was_silent = self._was_silent or isinstance(error, SilenceError)
        allowed = retries_of(error)
        if allowed < math.inf:
            self._doubtful += 1
            if self._doubtful > allowed:
                return None
        asked = retry_delay(error)
        least = 0.0 if asked is None else asked.total_seconds()
        left = self._since + self._give_up() - now
        if left <= 0 or least > left:
            return None
        # The power of two is bounded: this one is far above any wait.
        grown = min(self._back_off.first * 2 ** min(self.failures, 64), self._back_off.longest)
        self.failures += 1
        delay = grown * (1 - self._back_off.jitter * random.random())  # noqa: S311
        return max(min(delay, left), least)

    def _give_up(self) -> float:
        if self.is_heard:
            return self._back_off.give_up
        first = self._back_off.first_give_up
        return max(first, FIRST_SILENCES * self._silence) if self._was_silent else first


def retries_of(error: Exception) -> float:
    """How many times in a row, without progress, a failure is worth another try: 0 is never, and `inf` always."""
    # The log itself cannot have a hole: what came over the connection was not all. A second time it is the server.
    if isinstance(error, SequenceGapError):
        return GAP_RETRIES
    # Cut and silent streams; and where the server says that trying again helps.
    if not isinstance(error, ConnectError) or retry_delay(error) is not None:
        return math.inf
    if error.code in MENDED:
        return math.inf
    if error_info(error) is None:
        # The library makes one error of an answer and of a connection that broke. The latter have a cause.
        if isinstance(error.__cause__, Exception):
            return _retries_of_transport(error.code)
        # ENHANCE_YOUR_CALM, which passes, and a message above what is read, which does not.
        if error.code is Code.RESOURCE_EXHAUSTED:
            return DOUBTFUL_RETRIES
    # RESOURCE_EXHAUSTED without RetryInfo is a message that is too large. What is refused would be again.
    return DOUBTFUL_RETRIES if error.code in DOUBTFUL else 0


def _retries_of_transport(code: Code) -> float:
    if code in FINAL_OF_TRANSPORT:
        return 0
    return DOUBTFUL_RETRIES if code is Code.RESOURCE_EXHAUSTED else math.inf
