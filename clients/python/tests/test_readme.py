"""The samples of the README, as they stand there."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving import Server

README = (Path(__file__).parents[1] / "README.md").read_text()
SAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PROMPT = "What is wrong with the gateway?"
SAID = ["done 0.25\n", "It is the port.\n", "INVALID_ARGUMENT INVALID_ARGUMENT {} (FieldViolation(field='prompt', "]


@pytest.mark.parametrize(("sample", "said"), list(zip(SAMPLES, SAID, strict=True)), ids=["run", "stream", "errors"])
async def test_a_sample_runs(server: Server, sample: str, said: str) -> None:
    sample = sample.replace("http://127.0.0.1:7433", server.url).replace(PROMPT, "say It is the port.")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        stdout, _ = await process.communicate(sample.encode())
    assert process.returncode == 0
    assert stdout.decode().startswith(said)


def test_the_first_call_has_ten_lines() -> None:
    assert len([line for line in SAMPLES[0].splitlines() if line]) <= 10
