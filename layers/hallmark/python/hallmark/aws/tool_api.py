"""HTTP APIs of other tools, by the client that botocore brings: JSON in, JSON out, at a pace, without redirects."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_ANSWER_BYTES = 64 * 1024 * 1024
_SHOWN = 300
_OK, _NOT_FOUND, _TOO_MANY, _FAULTS_FROM = 200, 404, 429, 500
_DENIED = frozenset({401, 403})


def authorization(secret: str) -> str:
    """Return the header for a secret: a token, or ``{"token": …}`` or ``{"username": …, "password": …}`` in JSON.

    Without any of them ("" or other fields only) there is no header.

    Raises:
        InvalidInputError: It is JSON, and none of these.
    """
    if not secret.lstrip().startswith("{"):
        return f"Bearer {secret.strip()}" if secret.strip() else ""
    fields = secret_fields(secret)
    if fields.get("token"):
        return f"Bearer {fields['token']}"
    if fields.get("username"):
        login = f"{fields['username']}:{fields.get('password', '')}"
        return f"Basic {b64encode(login.encode()).decode()}"
    return ""


def secret_fields(secret: str) -> Mapping[str, str]:
    """Return the fields of a secret in JSON.

    Raises:
        InvalidInputError: It is no JSON object of texts; its text is not shown.
    """
    try:
        fields = json.loads(secret)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        remedy = 'write {"token": "…", "webhook_secret": "…"}, or username and password'
        raise InvalidInputError("the secret", "<hidden>", remedy)
    return fields


class HttpToolApi:
    """The API of one tool.

    Args:
        url: Its address; what is asked is below it.
        header: The value of ``Authorization``; "" for none.
        requests_per_second: The pace.
        clock: Seconds that only grow.
        sleep: Waits.
    """

    def __init__(
        self,
        url: str,
        header: str = "",
        *,
        requests_per_second: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "Hallmark"}
        if header:
            self._headers["Authorization"] = header
        self._pause = 1 / requests_per_second
        self._clock, self._sleep = clock, sleep
        self._next = 0.0
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False, maxsize=2)

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Mapping[str, Any]:
        """Return the answer to a GET.

        Raises:
            NotFoundError: The tool has no such thing.
            InvalidInputError: The tool refuses the token or the request, or answers no JSON.
            UnavailableError: The tool does not answer now.
        """
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer to a POST; raises as ``get`` does."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Mapping[str, Any]:
        self._wait()
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            answer = self._pool.request(
                method, f"{self._url}{path}", body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                said = answer.read(_ANSWER_BYTES + 1)
            finally:
                answer.release_conn()
        except HTTPError as error:
            raise UnavailableError(f"{self._place()} gave no answer ({type(error).__name__})") from None
        return self._read(answer.status, said, path)

    def _wait(self) -> None:
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._pause

    def _read(self, status: int, said: bytes, path: str) -> Mapping[str, Any]:
        asked = path.partition("?")[0]
        shown = said[:_SHOWN].decode(errors="replace")
        if status == _TOO_MANY or status >= _FAULTS_FROM:
            raise UnavailableError(f"{self._place()} answered {status} to {asked}: {shown}")
        if status == _NOT_FOUND and _is_json(said):
            raise NotFoundError(f"{self._place()} has no {asked}: {shown}")
        if status in _DENIED:
            remedy = "put a token into the secret that hallmark.yaml names, and let it read"
            raise InvalidInputError(f"the token for {self._place()}", f"refused with {status}", remedy)
        if status != _OK:
            raise InvalidInputError(f"the request {asked} to {self._place()}", f"{status}: {shown}", "see its answer")
        if len(said) > _ANSWER_BYTES:
            raise InvalidInputError(f"the answer to {asked}", f"over {_ANSWER_BYTES:,} bytes", "ask for less a page")
        try:
            # NaN and infinities, which some tools write, are no JSON: they are kept as texts.
            document = json.loads(said, parse_constant=str)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            remedy = "is the address in hallmark.yaml that of the tool's API?"
            raise InvalidInputError(f"the answer of {self._place()} to {asked}", shown, remedy)
        return document

    def _place(self) -> str:
        parts = urlsplit(self._url)
        return f"{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _is_json(said: bytes) -> bool:
    # A proxy's page says nothing of what the tool has.
    return said.lstrip().startswith(b"{")
