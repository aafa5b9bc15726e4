"""Open connections to one endpoint: made ahead of time, used again, closed with the run."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from warmer.aws.client import CONNECT_TIMEOUT_SECONDS
from warmer.aws.http import Connection
from warmer.errors import EndpointUnreachable

if TYPE_CHECKING:
    from warmer.aws.endpoint import LambdaEndpoint

__all__ = ["Connections"]

AT_A_TIME = 32
"""How many connections are being opened at a time: TLS is CPU work, and a hundred handshakes side
by side on a fraction of a CPU would each look like an endpoint that does not answer."""

CROWDED_TIMEOUT_SECONDS = 15.0
"""For connections after the first, which has shown that the endpoint is there."""


class Connections:
    """Connections of one event loop to one endpoint."""

    def __init__(self, endpoint: LambdaEndpoint) -> None:
        self._endpoint = endpoint
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._addresses: list[str] = []
        self._opening = asyncio.Lock()

    async def open(self, count: int) -> None:
        """Have at least `count` connections open, in use or not.

        Raises EndpointUnreachable where the endpoint has no address or does not answer in time.
        """
        async with self._opening:
            self._forget_closed()
            missing = count - len(self._all)
            if missing > 0 and not self._addresses:
                await self._find()
                self._idle.append(await self._connect(CONNECT_TIMEOUT_SECONDS))
                missing -= 1
            while missing > 0:
                batch = min(missing, AT_A_TIME)
                made = [self._connect(CROWDED_TIMEOUT_SECONDS) for _ in range(batch)]
                self._idle += await asyncio.gather(*made)
                missing -= batch

    async def take(self) -> Connection:
        """A connection for one request: an idle one, else a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            self._all.discard(connection)
        async with self._opening:
            if not self._addresses:
                await self._find()
        return await self._connect(CONNECT_TIMEOUT_SECONDS)

    def give_back(self, connection: Connection, reusable: bool) -> None:
        """After its answer, or without one."""
        if reusable and connection.is_open:
            self._idle.append(connection)
        else:
            self._all.discard(connection)
            connection.close()

    async def close(self) -> None:
        """Close them all."""
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._idle.clear()
        await asyncio.sleep(0)  # transports close their sockets in the loop's next turn

    def _forget_closed(self) -> None:
        self._idle = [connection for connection in self._idle if connection.is_open]
        self._all = {connection for connection in self._all if connection.is_open}

    async def _connect(self, timeout_seconds: float) -> Connection:
        loop = asyncio.get_running_loop()
        tls, host = self._endpoint.tls, self._endpoint.host
        problem: Exception = TimeoutError()
        for address in self._addresses:
            try:
                async with asyncio.timeout(timeout_seconds):
                    _, connection = await loop.create_connection(
                        Connection,
                        address,
                        self._endpoint.port,
                        ssl=tls,
                        server_hostname=host if tls else None,
                    )
            except OSError as error:  # TimeoutError and SSLError are ones
                problem = error
                continue
            self._all.add(connection)
            return connection
        raise self._unreachable(problem) from problem

    async def _find(self) -> None:
        """Look the host up once for all connections, in a thread since it can block for long."""
        loop = asyncio.get_running_loop()
        resolver = ThreadPoolExecutor(1, thread_name_prefix="resolver")
        try:
            found = await asyncio.wait_for(
                loop.run_in_executor(
                    resolver,
                    lambda: socket.getaddrinfo(
                        self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM
                    ),
                ),
                CONNECT_TIMEOUT_SECONDS,
            )
        except OSError as error:
            raise self._unreachable(error) from error
        finally:
            resolver.shutdown(wait=False)
        # Two at most: with more, an endpoint that is not there would take too long to be known.
        self._addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:2]

    def _unreachable(self, error: Exception) -> EndpointUnreachable:
        url = self._endpoint.url
        if isinstance(error, socket.gaierror):
            return EndpointUnreachable(
                f"the name of Lambda's endpoint {url} has no address ({error})"
            )
        if isinstance(error, TimeoutError):
            return EndpointUnreachable(
                f"no connection to Lambda at {url} in {CONNECT_TIMEOUT_SECONDS:.0f} s; from a VPC"
                " this needs a NAT gateway or an interface endpoint for Lambda"
            )
        return EndpointUnreachable(f"no connection to Lambda at {url} could be made ({error})")
