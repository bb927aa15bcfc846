"""Which image a tag means."""

from __future__ import annotations

import re
import time
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling

_REGISTRY = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/"
    r"(?P<repository>[^:@]+)(:(?P<tag>[^@]+))?(@(?P<digest>sha256:[0-9a-f]+))?"
)
_LIFE_SECONDS = 300
"""A tag can be moved: what it meant is looked up again after this time."""


class EcrImages:
    """ImageResolver over the account's own registry; images of other registries keep their tag."""

    def __init__(self, client: Any, account: str) -> None:
        self._client = client
        self._account = account
        self._known: dict[str, tuple[float, str | None]] = {}

    def digest(self, image_uri: str) -> str | None:
        """Return ``sha256:…`` for an image URI; None where it cannot be known.

        Raises:
            UnavailableError: ECR did not answer.
        """
        match = _REGISTRY.fullmatch(image_uri)
        if match is None:
            return None
        if match["digest"]:
            return match["digest"]
        if match["account"] != self._account:
            return None
        known = self._known.get(image_uri)
        if known is None or known[0] < time.monotonic():
            known = (time.monotonic() + _LIFE_SECONDS, self._look_up(match))
            self._known[image_uri] = known
        return known[1]

    def _look_up(self, match: re.Match[str]) -> str | None:
        try:
            with calling(f"resolving {match[0]}"):
                answer = self._client.describe_images(
                    repositoryName=match["repository"], imageIds=[{"imageTag": match["tag"] or "latest"}]
                )
        except ClientError:
            return None  # no such image, or a repository that the policy does not name
        details = answer.get("imageDetails") or [{}]
        found = details[0].get("imageDigest")
        return str(found) if found else None
