"""A local address that signs what it gets and hands it on: clients of OpenLineage know no signatures of AWS."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hallmark.errors import UnavailableError

Post = Callable[[bytes, Mapping[str, str]], tuple[int, bytes]]
Note = Callable[[str], None]

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_MOST_BYTES = 6_000_000
_HANDED_ON = ("content-type",)
_PATHS = ("/api/v1/lineage", "/lineage", "/")


class Forwarder(ThreadingHTTPServer):
    """Serves on a local port; each request is signed as whoever runs it.

    Args:
        address: Host and port; port 0 takes a free one.
        post: Signs and sends.
        note: Told of each request.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], post: Post, note: Note) -> None:
        self.post, self.note = post, note
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Forwarder

    def do_POST(self) -> None:
        """Hand a request on."""
        length = self.headers.get("Content-Length") or ""
        if not length.isdigit():
            self._answer(HTTPStatus.LENGTH_REQUIRED, {"message": "say how long the body is: Content-Length"})
            return
        if int(length) > _MOST_BYTES:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"message": f"send {_MOST_BYTES:,} bytes at most"})
            return
        body = self.rfile.read(int(length))
        if self.path.partition("?")[0].rstrip("/") not in {path.rstrip("/") for path in _PATHS}:
            self._answer(HTTPStatus.NOT_FOUND, {"message": f"send to {_PATHS[0]}"})
            return
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() in _HANDED_ON or name.lower().startswith("ce-")
        }
        try:
            if (self.headers.get("Content-Encoding") or "").lower() == "gzip":
                # Not every way through an API keeps the bytes of what is called JSON as they are.
                body = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(body, _MOST_BYTES)
            status, answer = self.server.post(body, headers)
        except zlib.error:
            self._answer(HTTPStatus.BAD_REQUEST, {"message": "the body is not packed by gzip as Content-Encoding says"})
            return
        except UnavailableError as error:
            self._answer(HTTPStatus.BAD_GATEWAY, {"message": str(error)})
            return
        self.server.note(f"{status} {len(body):,} bytes")
        self._send(status, answer)

    def do_GET(self) -> None:
        """Say that it is there."""
        self._answer(HTTPStatus.OK, {"message": "hallmark openlineage proxy: POST events to /api/v1/lineage"})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Write nothing: ``note`` is told."""

    def _answer(self, status: HTTPStatus, body: Mapping[str, str]) -> None:
        self._send(int(status), json.dumps(body).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
