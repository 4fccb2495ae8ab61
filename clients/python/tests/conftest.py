from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest
import pytest_asyncio
from proxy import Proxy, proxying
from serving import Server, serving

from breakglass_client import BackOff, BreakglassClient, Protocol, StreamOptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

PROTOCOLS: tuple[Protocol, ...] = ("grpc", "grpc-web", "connect")

AT_ONCE = BackOff(first=0.001, longest=0.02)
"""Comes back at once: a test waits for nothing that it is not about."""

Site: TypeAlias = tuple[Server, Proxy]

# A proxy of the machine's stands before no test.
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]


@asynccontextmanager
async def standing(root: Path, **settings: str) -> AsyncGenerator[Site, None]:
    """A server behind a proxy."""
    async with proxying() as proxy, serving(root, BREAKGLASS_ALLOWED_HOSTS=proxy.host, **settings) as server:
        proxy.server_port = server.port
        yield server, proxy


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site, None]:
    async with standing(tmp_path_factory.mktemp("shared")) as site:
        yield site


@pytest.fixture
def server(shared: Site) -> Server:
    """A server that no test ends."""
    return shared[0]


@pytest.fixture
def proxy(shared: Site) -> Proxy:
    """The proxy before it."""
    shared[1].reset()
    return shared[1]


@pytest.fixture
def own_site(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Site]]:
    """A server and a proxy that the test may do anything to."""

    def stand(**settings: str) -> AbstractAsyncContextManager[Site]:
        return standing(tmp_path / "own", **settings)

    (tmp_path / "own").mkdir()
    return stand


@pytest_asyncio.fixture(loop_scope="session")
async def client(proxy: Proxy) -> AsyncGenerator[BreakglassClient, None]:
    """A client of the shared server, through the proxy."""
    async with BreakglassClient(proxy.url, options=StreamOptions(back_off=AT_ONCE)) as client:
        yield client
