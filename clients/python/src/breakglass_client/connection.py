"""One way to a server, which can be given up and taken anew."""

from __future__ import annotations

import asyncio
import atexit
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from pyqwest import Client, HTTPTransport, HTTPVersion

from .errors import ClientClosedError
from .exit import wait_for_wakers
from .fork import claim_process
from .gen.breakglass.v1.breakglass_service_connect import BreakglassServiceClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from connectrpc.request import RequestContext

    from .errors import BreakglassStreamError

REQ = TypeVar("REQ")
RES = TypeVar("RES")

Protocol: TypeAlias = Literal["grpc", "grpc-web", "connect"]

PROTOCOLS = {
    "grpc": ProtocolType.GRPC,
    "grpc-web": ProtocolType.GRPC_WEB,
    "connect": ProtocolType.CONNECT,
}

# No message of a server's has more than 3 MiB.
READ_MAX_BYTES = 4 * 1024 * 1024
# How long a connection may take: the name, TCP and TLS. In seconds, like all here.
CONNECT = 7.0
# How long the answer of a call may take that a server gives at once.
ANSWER = 8.0
# Of one that waits for an agent to stop, or for files to be removed.
SLOW_ANSWER = 60.0
SLOW = frozenset({"CancelTurn", "InterruptTurn", "DeleteSession"})

if sys.version_info < (3, 14):
    atexit.register(wait_for_wakers)


class Connection:
    """Calls a server over connections of its own. Opened by the first call, and again by the first after it broke.

    Args:
        url: `http` for cleartext, `https` for TLS.
        token: Sent as the bearer token of every call. None: none is sent.
        protocol: What is spoken: gRPC over HTTP/2, or gRPC-Web or Connect, which pass proxies that know HTTP/1.1 only.
        tls_ca_cert: The certificates, as PEM, that the server's is held to. None: the system's.
    """

    def __init__(self, url: str, token: str | None, protocol: Protocol, tls_ca_cert: bytes | None) -> None:
        self._url = url.rstrip("/")
        self._protocol = protocol
        self._tls_ca_cert = tls_ca_cert
        self._interceptor = CallInterceptor(token)
        self._transport, self._rpc = self._make()
        self._closed = asyncio.Event()
        # What ends the streams that are open.
        self._ends: set[Callable[[BreakglassStreamError], None]] = set()

    @property
    def rpc(self) -> BreakglassServiceClient:
        """The generated client over the connection as it is now."""
        return self._rpc

    def check_open(self) -> None:
        """Does nothing until it is closed.

        Raises:
            ClientClosedError: It is.
        """
        if self._closed.is_set():
            raise ClientClosedError("the client is closed")

    def when_closed(self, end: Callable[[BreakglassStreamError], None]) -> None:
        """Has `end` called once this is closed."""
        self._ends.add(end)

    def no_longer_when_closed(self, end: Callable[[BreakglassStreamError], None]) -> None:
        """Takes that back."""
        self._ends.discard(end)

    async def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            ClientClosedError: It was closed meanwhile.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return
        self.check_open()

    async def drop(self, rpc: BreakglassServiceClient) -> None:
        """Gives up the connection of `rpc`: the next call opens another. The first that finds it dead does."""
        if rpc is not self._rpc:
            return
        dropped = self._transport
        self._transport, self._rpc = self._make()
        await dropped.aclose()

    async def aclose(self) -> None:
        """Ends the connection, and every stream that is read. Idempotent."""
        self._closed.set()
        for end in tuple(self._ends):
            end(ClientClosedError("the client was closed"))
        await self._transport.aclose()

    def _make(self) -> tuple[HTTPTransport, BreakglassServiceClient]:
        transport = HTTPTransport(
            tls_ca_cert=self._tls_ca_cert,
            tls_include_system_certs=self._tls_ca_cert is None,
            http_version=HTTPVersion.HTTP2 if self._protocol == "grpc" else None,
            connect_timeout=CONNECT,
            follow_redirects=False,
            enable_otel=False,
        )
        rpc = BreakglassServiceClient(
            self._url,
            protocol=PROTOCOLS[self._protocol],
            send_compression=None,
            read_max_bytes=READ_MAX_BYTES,
            interceptors=[self._interceptor],
            http_client=Client(transport),
        )
        return transport, rpc


class CallInterceptor:
    """Sends the token, and bounds how long an answer is waited for. A stream's reader knows its own bounds."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def intercept_unary(
        self,
        call_next: Callable[[REQ, RequestContext[REQ, RES]], Awaitable[RES]],
        request: REQ,
        ctx: RequestContext[REQ, RES],
    ) -> RES:
        """Makes a call that has one answer."""
        self._authorize(ctx)
        name = ctx.method.name
        limit = SLOW_ANSWER if name in SLOW else ANSWER
        try:
            async with asyncio.timeout(limit):
                try:
                    return await call_next(request, ctx)
                except ConnectError as error:
                    # The library's word for a task that is canceled would be taken for an answer of the server's.
                    if isinstance(error.__cause__, asyncio.CancelledError):
                        raise error.__cause__ from None
                    raise
        except TimeoutError:
            raise ConnectError(Code.DEADLINE_EXCEEDED, f"{name} was not answered within {limit:g} s") from None

    def intercept_server_stream(
        self,
        call_next: Callable[[REQ, RequestContext[REQ, RES]], AsyncIterator[RES]],
        request: REQ,
        ctx: RequestContext[REQ, RES],
    ) -> AsyncIterator[RES]:
        """Makes a call that streams."""
        self._authorize(ctx)
        return call_next(request, ctx)

    def _authorize(self, ctx: RequestContext[REQ, RES]) -> None:
        claim_process()
        if self._token is not None:
            ctx.request_headers["authorization"] = f"Bearer {self._token}"
