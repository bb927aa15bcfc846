"""An OpenLineage endpoint on loopback: keeps what it takes, and answers as it is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class OpenLineageServer:
    """``taken`` are the events, ``asked`` the path and the key of each request."""

    def __init__(self) -> None:
        self.status = 201
        self.taken: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str | None]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                endpoint.asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(endpoint.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/v1/lineage"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
