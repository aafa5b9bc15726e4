"""The cloud's one port: invokes and Function URLs are ours, all else is moto's."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.wrappers import Request, Response

from infra.cloud.function_url import FunctionUrlEndpoint
from infra.cloud.function_urls import FunctionUrl
from infra.cloud.http_request import HttpRequest, HttpResponse
from infra.cloud.invoke import INVOKE_PATH, SYNCHRONOUS_LIMIT_BYTES, InvokeEndpoint
from infra.cloud.invoke_connection import Answer, InvokeConnection
from infra.cloud.turns import Turns

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_URL_PATH = re.compile(r"/lambda-url/(?P<id>[^/]+)(?P<path>/.*)?")
_URL_HOST = re.compile(r"(?P<id>[0-9a-f]{32})\.lambda-url\..*")
# Requests to these do not change what is scheduled.
_INERT = ("GET", "HEAD", "OPTIONS")

CLOSING_SECONDS = 10.0
"""How long a closing server waits for a request that is being answered."""

Describe = Callable[[], dict[str, Any]]


class Front:
    """A WSGI application; `invoke` answers what most invokes look like without WSGI."""

    def __init__(
        self,
        invoke: InvokeEndpoint,
        function_url: FunctionUrlEndpoint,
        urls: dict[str, FunctionUrl],
        changed: Callable[[], None],
        views: dict[str, Describe],
    ) -> None:
        self._invoke = invoke
        self._function_url = function_url
        self._urls = urls
        self._changed = changed
        self._views = views
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        # WSGI has a path's bytes as Latin-1.
        path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        response = self._ours(environ, path)
        if response is not None:
            return response(environ, start)
        answer: Iterable[bytes] = self._moto(environ, start)
        if environ.get("REQUEST_METHOD") not in _INERT:
            self._changed()
        return answer

    def invoke(self, request: HttpRequest) -> HttpResponse | None:
        """Answer an invoke; None where it is for a Function URL by its host."""
        found = INVOKE_PATH.fullmatch(request.path.partition("?")[0])
        if found is None or _URL_HOST.fullmatch(request.headers.get("host", "")):
            return None
        return self._invoke(request, unquote(found["name"]))

    def _ours(self, environ: WSGIEnvironment, path: str) -> Response | None:
        if by_host := _URL_HOST.fullmatch(environ.get("HTTP_HOST", "")):
            return self._to_url(environ, by_host["id"], path)
        if invoke := INVOKE_PATH.fullmatch(path):
            answer = self._invoke(_as_invoke(Request(environ)), unquote(invoke["name"]))
            content_type = None if answer.status == 204 else "application/json"
            return Response(answer.body, answer.status, answer.headers, content_type=content_type)
        if by_path := _URL_PATH.fullmatch(path):
            return self._to_url(environ, by_path["id"], by_path["path"] or "/")
        if view := self._views.get(path):
            return Response(json.dumps(view()), 200, content_type="application/json")
        return None

    def _to_url(self, environ: WSGIEnvironment, url_id: str, path: str) -> Response:
        url = self._urls.get(url_id)
        if url is None:
            body = json.dumps({"Message": "There is no Function URL with this address"})
            return Response(body, 404, content_type="application/json")
        return self._function_url(Request(environ), url, path)


def _as_invoke(request: Request) -> HttpRequest:
    """Its body is not read where its length says already that it is too large."""
    length = request.content_length or 0
    body = request.get_data() if length <= SYNCHRONOUS_LIMIT_BYTES else b""
    headers = {name.lower(): value for name, value in request.headers.items()}
    path = f"{request.path}?{request.query_string.decode('latin-1')}"
    return HttpRequest(request.method, path, headers, body, max(length, len(body)))


class FrontServer(ThreadedWSGIServer):
    """Ends the connections that are still open when it is closed.

    invoke: answers invokes; until it is set, all go to the WSGI application. turns: those of the
    data plane, if any.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.invoke: Answer = lambda _: None
        self.turns: Turns | None = None
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(*arguments, **options)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        self._open[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._open[request]

    def server_close(self) -> None:
        """Free the port; what still waits for a request gets none."""
        super().server_close()
        for connection, thread in list(self._open.items()):
            with suppress(OSError):  # it has just been closed
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(CLOSING_SECONDS)


class FrontRequestHandler(MotoRequestHandler):
    """Keeps connections open after invokes, as Lambda does, and stays silent.

    werkzeug closes each after one answer. To pings that come together, a new connection and a new
    thread for each would be the larger part of what they wait for.
    """

    protocol_version = "HTTP/1.1"
    # A response leaves in one segment, not a header first and a body 40 ms later.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: FrontServer
    rfile: BufferedReader

    def handle(self) -> None:
        """Answer invokes, and then one request of another kind."""
        with suppress(ConnectionError):  # the caller has gone
            server = self.server
            begun = InvokeConnection(self.connection, server.invoke, server.turns).serve()
            if begun:
                self.rfile.close()
                self.rfile = BufferedReader(_Begun(begun, self.connection))
                super().handle()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """One line a request would drown what matters."""


class _Begun(RawIOBase):
    """What comes over a connection of which something was read before."""

    def __init__(self, begun: bytes, connection: socket.socket) -> None:
        self._begun = begun
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if not self._begun:
            return self._connection.recv_into(buffer)
        into = memoryview(buffer).cast("B")
        count = min(len(into), len(self._begun))
        into[:count], self._begun = self._begun[:count], self._begun[count:]
        return count
