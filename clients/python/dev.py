#!/usr/bin/env python3
"""Runs a tool of the Python client: `clients/python/dev.py pytest`.

The tools are those of requirements-dev.txt, in an environment of their own beside this file, which is made where it is
missing or another list made it. Two that start at the same time, as plugins of buf do, make it once.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
REQUIREMENTS = HERE / "requirements-dev.txt"


def main() -> None:
    """Takes this program's place by the tool."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it may have an older one
        sys.exit(f"the Python client wants Python 3.11 or newer; this is {sys.version.split()[0]}")
    if len(sys.argv) == 1:
        sys.exit("usage: dev.py TOOL ARGUMENT…")
    with (HERE / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_environment()
    tool = VENV / "bin" / sys.argv[1]
    if not tool.exists():
        sys.exit(f"{tool.name} is none of the tools in {REQUIREMENTS.name}")
    os.execv(tool, [str(tool), *sys.argv[2:]])


def make_environment() -> None:
    """Makes the environment unless it is there as the list has it."""
    wanted = hashlib.sha256(f"{sys.version}\n".encode() + REQUIREMENTS.read_bytes()).hexdigest()
    stamp = VENV / "made-from"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    # What is said goes to stderr: stdout is the tool's.
    run(sys.executable, "-m", "venv", "--clear", str(VENV))
    python = str(VENV / "bin" / "python")
    run(
        python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)
    )
    site = subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[0])"], text=True)
    (Path(site.strip()) / "breakglass-client.pth").write_text(f"{HERE / 'src'}\n")
    stamp.write_text(wanted)


def run(*command: str) -> None:
    """Runs a command to its end; fails where that does."""
    subprocess.run(command, check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
