"""The cloud's one port: invokes and Function URLs are ours, all else is moto's."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BytesIO
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
from infra.cloud.invoke import SYNCHRONOUS_LIMIT_BYTES, InvokeEndpoint

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations/?")
_URL_PATH = re.compile(r"/lambda-url/(?P<id>[^/]+)(?P<path>/.*)?")
_URL_HOST = re.compile(r"(?P<id>[0-9a-f]{32})\.lambda-url\..*")
# Requests to these do not change what is scheduled.
_INERT = ("GET", "HEAD", "OPTIONS")

CLOSING_SECONDS = 10.0
"""How long a closing server waits for a request that is being answered."""

Describe = Callable[[], dict[str, Any]]


class Front:
    """A WSGI application."""

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

    def _ours(self, environ: WSGIEnvironment, path: str) -> Response | None:
        if by_host := _URL_HOST.fullmatch(environ.get("HTTP_HOST", "")):
            return self._to_url(environ, by_host["id"], path)
        if invoke := _INVOKE.fullmatch(path):
            return self._invoke(Request(environ), unquote(invoke["name"]))
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


class FrontServer(ThreadedWSGIServer):
    """Ends the connections that are still open when it is closed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
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

    def run_wsgi(self) -> None:
        """Answer one request."""
        length = self._invoke_bytes()
        if length is None:
            super().run_wsgi()
            return
        body = self.rfile.read(length)
        if len(body) < length:  # the caller has gone
            self.close_connection = True
            return
        self.environ = environ = self.make_environ()
        environ["wsgi.input"] = BytesIO(body)
        try:
            response = Response.from_app(self.server.app, environ, buffered=True)
        except Exception:
            self.send_error(500)  # and it is told of where the server tells of errors
            raise
        content = response.get_data()
        self.send_response(response.status_code)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _invoke_bytes(self) -> int | None:
        """The size of an invoke's body; None for all else, and where it is not read as a whole."""
        length = self.headers.get("Content-Length", "")
        if self.command != "POST" or not _INVOKE.fullmatch(self.path.partition("?")[0]):
            return None
        if "Transfer-Encoding" in self.headers or "Expect" in self.headers:
            return None
        if not (length.isascii() and length.isdecimal() and len(length) < 10):
            return None
        return int(length) if int(length) <= SYNCHRONOUS_LIMIT_BYTES else None

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """One line a request would drown what matters."""
