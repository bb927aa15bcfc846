"""HTTP to channels outside of AWS, by the client that botocore brings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3
from urllib3.exceptions import HTTPError

from hallmark.alerts.channels.posting import Answer
from hallmark.errors import UnavailableError

_CONNECT_SECONDS = 3.0
_READ_SECONDS = 8.0
_BODY_BYTES = 4096
# At DEBUG it writes the path of each request, and a webhook's path is its secret.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class HttpPosts:
    """Posts once; whoever asked tries again. Follows no redirect: a webhook has one address."""

    def __init__(self, *, connect_seconds: float = _CONNECT_SECONDS, read_seconds: float = _READ_SECONDS) -> None:
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=connect_seconds, read=read_seconds), retries=False, maxsize=2
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a body and return the answer, whatever its status.

        Raises:
            UnavailableError: No answer came; the text holds no part of the address.
        """
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=body,
                headers={**headers, "User-Agent": "Hallmark"},
                redirect=False,
                preload_content=False,
            )
            try:
                said = answer.read(_BODY_BYTES).decode(errors="replace")
            finally:
                answer.release_conn()
        except HTTPError as error:
            # urllib3 writes the address, which is a secret, into its texts; so does the error's cause.
            raise UnavailableError(f"the channel gave no answer ({type(error).__name__})") from None
        return Answer(answer.status, said, _retry_after(answer.headers.get("Retry-After")))


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for: a number or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    with suppress(ValueError):
        return max(float(value), 0.0)
    with suppress(ValueError, TypeError):
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0.0)
    return None
