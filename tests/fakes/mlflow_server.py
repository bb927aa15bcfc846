"""A real MLflow server on loopback, and what its webhooks send."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import urllib3
from cryptography.fernet import Fernet
from urllib3.exceptions import HTTPError

_STARTS_WITHIN_SECONDS = 90.0
_LOOK_EVERY_SECONDS = 0.2


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run a server with SQLite; yield its address."""
    port = free_port()
    command = [
        sys.executable,
        *("-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = os.environ | {
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server, folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN_SECONDS
    while time.monotonic() < until:
        with suppress(HTTPError):
            if urllib3.request("GET", url, timeout=2, retries=False).status == HTTPStatus.OK:
                return
        if server.poll() is not None:
            break
        time.sleep(_LOOK_EVERY_SECONDS)
    raise RuntimeError(f"the MLflow server does not answer: {log.read_text(errors='replace')[-2000:]}")


class Delivery(NamedTuple):
    """A request that a webhook sent: headers by lower-case name, and the body."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class WebhookEar:
    """Listens on loopback and keeps what is delivered."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._heard = threading.Condition()
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with ear._heard:
                    ear.deliveries.append(Delivery(headers, body))
                    ear._heard.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Delivery]:
        """Return all deliveries once there are so many."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.deliveries) >= count, seconds), (
                f"{len(self.deliveries)} of {count} webhooks came"
            )
            return list(self.deliveries)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
