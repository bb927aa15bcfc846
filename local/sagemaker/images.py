"""Digests of container images: from the registry where it knows the image, else made from the name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient

EcrClients = Callable[[str, str], "ECRClient"]  # (region, account) -> client

_ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<repository>[^:@]+)(:(?P<tag>[^@]+))?"
)
_UNKNOWN = {"RepositoryNotFoundException", "ImageNotFoundException"}


class ImageRegistry:
    """Resolves an image's name to a digest; no image is pulled."""

    def __init__(self, ecr: EcrClients) -> None:
        self._ecr = ecr

    def digest(self, image: str, account: str) -> str:
        """Return ``sha256:<64 hex>`` for ``image``.

        The caller's own repository is asked; for an image that it does not hold (AWS's own images, a registry
        elsewhere) the digest is the SHA-256 of the name, so that the same name always has the same digest.
        """
        name, at, digest = image.partition("@")
        if at:
            return digest
        match = _ECR_IMAGE.fullmatch(name)
        if match and match["account"] == account:
            found = self._registered(match, account)
            if found:
                return found
        return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"

    def resolve(self, image: str, account: str) -> str:
        """Return ``image`` with its digest in the place of its tag."""
        name = image.partition("@")[0]
        folder, slash, last = name.rpartition("/")
        return f"{folder}{slash}{last.partition(':')[0]}@{self.digest(image, account)}"

    def _registered(self, match: re.Match[str], account: str) -> str | None:
        client = self._ecr(match["region"], account)
        try:
            answer = client.describe_images(
                repositoryName=match["repository"], imageIds=[{"imageTag": match["tag"] or "latest"}]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _UNKNOWN:
                return None
            raise
        return answer["imageDetails"][0].get("imageDigest")
