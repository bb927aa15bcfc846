"""Requests to Hallmark's HTTP API, signed (SigV4) with the credentials of whoever runs the command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from urllib3.exceptions import HTTPError

from hallmark.errors import UnavailableError

SERVICE = "execute-api"
_SECONDS = urllib3.Timeout(connect=5.0, read=35.0)
"""Longer than API Gateway waits for a function (29 seconds)."""


class SignedPosts:
    """Posts to one address.

    Args:
        url: The address, with its path.
        credentials: botocore's, which renew themselves where they can.
        region: The Region of the API.
        endpoint: Where to connect to instead of the address's own host, e.g. a local cloud; it is told the host.
    """

    def __init__(self, url: str, credentials: Any, region: str, endpoint: str | None = None) -> None:
        self._url, self._credentials, self._region = url, credentials, region
        self._endpoint = endpoint.rstrip("/") if endpoint else None
        self._pool = urllib3.PoolManager(timeout=_SECONDS, retries=False, maxsize=8)

    def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Post a body; return the status and what was answered.

        Raises:
            UnavailableError: No answer came.
        """
        request = AWSRequest("POST", self._url, data=body, headers=dict(headers))
        SigV4Auth(self._credentials, SERVICE, self._region).add_auth(request)
        address = urlsplit(self._url)
        sent = {**dict(request.headers.items()), "Host": address.netloc}
        url = f"{self._endpoint}{address.path}" if self._endpoint else self._url
        try:
            answer = self._pool.request("POST", url, body=body, headers=sent, redirect=False)
        except HTTPError as error:
            raise UnavailableError(f"{address.netloc} gave no answer ({type(error).__name__})") from None
        return answer.status, bytes(answer.data)
