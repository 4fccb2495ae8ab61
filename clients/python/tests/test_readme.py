"""The samples of the README, as they stand there, in a Python elsewhere that has the wheel installed."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from serving import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from conftest import Site
    from serving import Server

CLIENT = REPOSITORY / "clients" / "python"
README = (CLIENT / "README.md").read_text()
SAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PROMPT = "What is wrong with the gateway?"
SAID = [
    "done 0.25\n",
    "0 checkpoint\n1 session\n",
    "INVALID_ARGUMENT INVALID_ARGUMENT {} (FieldViolation(field='prompt', ",
]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python outside the repository that has nothing but the wheel, and what it needs."""
    root = tmp_path_factory.mktemp("stranger")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", root, CLIENT)
    (wheel,) = root.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", root / "python")
    python = root / "python" / "bin" / "python"
    # At the versions that everything else is tried with.
    pins = re.findall(r"(?m)^[\w-]+==\S+", (CLIENT / "requirements-dev.txt").read_text())
    (root / "pins.txt").write_text("\n".join(pins))
    run(*pip, "--python", python, "install", "--constraint", root / "pins.txt", wheel)
    return python


async def start(stranger: Path, sample: str, url: str, prompt: str) -> asyncio.subprocess.Process:
    program = stranger.parents[2] / f"sample{SAMPLES.index(sample)}.py"
    program.write_text(sample.replace("http://127.0.0.1:7433", url).replace(PROMPT, prompt))
    return await asyncio.create_subprocess_exec(
        stranger, "-u", "-W", "error", program, cwd=program.parent, stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize(("sample", "said"), list(zip(SAMPLES, SAID, strict=True)), ids=["run", "stream", "errors"])
async def test_a_sample_runs(stranger: Path, server: Server, sample: str, said: str) -> None:
    process = await start(stranger, sample, server.url, "say It is the port.")
    async with asyncio.timeout(60):
        stdout, _ = await process.communicate()
    assert process.returncode == 0
    assert stdout.decode().startswith(said)


async def test_the_sample_that_streams_prints_every_event_once_over_a_kill(
    stranger: Path, own_site: Callable[..., AbstractAsyncContextManager[Site]]
) -> None:
    async with own_site() as (server, _):
        process = await start(stranger, SAMPLES[1], server.url, r"say one\nsay two\nhang")
        assert process.stdout is not None
        durable: list[str] = []
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if line.startswith(b"0 "):
                    continue
                durable.append(line.decode())
                if durable[-1] == "3 two\n":
                    await server.restart(signal.SIGKILL)
            assert await process.wait() == 0
    assert durable[:-1] == ["1 session\n", "2 one\n", "3 two\n"]
    assert durable[-1].startswith("4 the turn failed: ")


def test_the_samples_and_the_package_are_typed(stranger: Path, tmp_path: Path) -> None:
    for number, sample in enumerate(SAMPLES):
        (tmp_path / f"sample{number}.py").write_text(sample)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    pyright = Path(sys.executable).with_name("pyright")
    assert "0 errors, 0 warnings" in run(pyright, "--project", tmp_path, "--pythonpath", stranger)


def test_the_first_call_has_ten_lines() -> None:
    assert len([line for line in SAMPLES[0].splitlines() if line]) <= 10
