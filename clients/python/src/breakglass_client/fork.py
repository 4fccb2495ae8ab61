"""Says so where a process was forked from one that had called a server: pyqwest's threads do not come with it.

Without them a call waits for an answer that nobody reads.
"""

from __future__ import annotations

import os

# The process whose threads read answers; they begin with its first call. 0: none yet.
_owner = 0


def claim_process() -> None:
    """Takes note of the process that calls.

    Raises:
        RuntimeError: The one that it was forked from called before.
    """
    global _owner  # noqa: PLW0603 - the threads are the process's too
    process = os.getpid()
    if _owner == 0:
        _owner = process
    elif _owner != process:
        raise RuntimeError(
            "this process was forked from one that had called a breakglass server, and has none of its threads:"
            ' start it by multiprocessing\'s "spawn", or make the first call behind the fork'
        )
