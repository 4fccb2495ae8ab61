"""Lets pyqwest's threads out of Python before the interpreter ends.

A thread of pyqwest's says by `call_soon_threadsafe` that an answer is there. That writes to a socket with the
interpreter let go, and may be all that a program's last task waited for. Before Python 3.14 a thread that wants the
interpreter back once it is ending is made to end itself, which aborts a process whose threads are Rust's: a program
that had done its work would die of SIGABRT.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

# What is waited for takes microseconds on a processor, which a busy machine may be slow to give. In seconds.
LONGEST_WAIT = 5.0
POLL = 0.001


def wait_for_wakers() -> None:
    """Returns once no thread is about to wake an event loop, or after `LONGEST_WAIT`."""
    deadline = time.monotonic() + LONGEST_WAIT
    # The documented way to other threads' stacks.
    stacks = sys._current_frames  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    while any(_wakes(frame) for frame in stacks().values()) and time.monotonic() < deadline:
        time.sleep(POLL)


def _wakes(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "call_soon_threadsafe":
            return True
        frame = frame.f_back
    return False
