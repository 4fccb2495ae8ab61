"""Whom the client trusts, and whom the server does."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from authority import Authority
from conftest import AT_ONCE, PROTOCOLS, standing
from reading import durable, read

from breakglass_client import (
    AttachTurnRequest,
    BackOff,
    BreakglassClient,
    Code,
    ConnectError,
    ConnectionLost,
    Protocol,
    Reason,
    RunTurnRequest,
    StreamOptions,
    error_info,
)

if TYPE_CHECKING:
    from pathlib import Path

    from breakglass_client import ConnectionChange
    from breakglass_client.v1 import TurnEvent

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificates are made by openssl")

TOKEN = "a-token-of-32-characters-or-more"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_turn_is_read_over_tls_and_a_kill(tmp_path: Path, protocol: Protocol) -> None:
    authority = Authority(tmp_path, "authority")
    async with (
        standing(tmp_path, **authority.settings()) as (server, _),
        BreakglassClient(
            server.url,
            protocol=protocol,
            tls_ca_cert=authority.certificate,
            options=StreamOptions(back_off=AT_ONCE),
        ) as client,
    ):
        got: list[TurnEvent] = []
        async with asyncio.timeout(50):
            async for event in client.stream_turn(RunTurnRequest(prompt="say one\nhang")):
                got.append(event)
                if event.sequence == 2:
                    await server.restart(signal.SIGKILL)
        assert durable(got) == [(1, "session"), (2, "text"), (3, "error")]
        again = await read(client.stream_turn(AttachTurnRequest(turn_id=got[0].turn_id)))
        assert durable(again) == durable(got)


async def test_a_server_that_is_not_trusted_is_as_one_that_is_not_there(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    other = Authority(tmp_path, "other")
    async with standing(tmp_path, **authority.settings()) as (server, _):
        for url, certificate, said in (
            (server.url, other.certificate, "UnknownIssuer"),
            (server.url, None, "UnknownIssuer"),
            (server.url.replace("127.0.0.1", "localhost"), authority.certificate, 'not valid for name "localhost"'),
        ):
            told: list[ConnectionChange] = []
            soon = StreamOptions(
                back_off=BackOff(first=0.001, longest=0.01, first_give_up=0.3), on_connection=told.append
            )
            async with BreakglassClient(url, tls_ca_cert=certificate, options=soon) as client, asyncio.timeout(10):
                with pytest.raises(ConnectError, match="certificate") as untrusted:
                    await client.run_turn(RunTurnRequest(prompt="say one"))
            assert untrusted.value.code is Code.UNAVAILABLE
            assert said in untrusted.value.message
            assert isinstance(told[0], ConnectionLost)
            assert said in str(told[0].error)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_tokens(tmp_path: Path, protocol: Protocol) -> None:
    (tmp_path / "tokens").write_text(f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()} ann\n")
    (tmp_path / "tokens").chmod(0o600)
    async with standing(tmp_path, BREAKGLASS_TOKENS_FILE=str(tmp_path / "tokens")) as (server, _):
        for token in (None, "another-token-of-32-characters-or-more"):
            told: list[ConnectionChange] = []
            at_once = StreamOptions(on_connection=told.append)
            async with BreakglassClient(server.url, token=token, protocol=protocol, options=at_once) as client:
                with pytest.raises(ConnectError) as refused:
                    await client.run_turn(RunTurnRequest(prompt="say one"))
            info = error_info(refused.value)
            assert info is not None
            assert (refused.value.code, info.reason, told) == (Code.UNAUTHENTICATED, Reason.UNAUTHENTICATED, [])
        async with BreakglassClient(server.url, token=TOKEN, protocol=protocol) as client:
            outcome = await client.run_turn(RunTurnRequest(prompt="say one"))
            assert outcome.turn.principal == "ann"
