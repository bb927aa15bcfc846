"""Which image a tag means."""

from __future__ import annotations

import re
import time
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from hallmark.aws.failures import calling

# ECR user guide, "Registry endpoints": the domain differs from partition to partition, and for dual-stack endpoints.
_REGISTRY = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<repository>[^:@]+)(:(?P<tag>[^@]+))?"
)
_DIGEST = re.compile(r"[^@]+@(?P<digest>sha256:[0-9a-f]{64})")
_LIFE_SECONDS = 300
"""A tag can be moved: what it meant is looked up again after this time."""
_REMEMBERED = 1000
_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
"""Of an image for several processors the digest of their list is wanted, which is what the tag names."""


class EcrImages:
    """ImageResolver over the registries of ECR in the client's Region; images from elsewhere keep their tag.

    The account's own registry describes its images. Others let an image be pulled and no more, AWS's own containers
    among them: they are asked for the manifest, as a pull begins by doing (ECR API reference, BatchGetImage).
    """

    def __init__(self, client: Any, account: str) -> None:
        self._client = client
        self._account = account
        self._known: dict[str, tuple[float, str | None]] = {}

    def digest(self, image_uri: str) -> str | None:
        """Return ``sha256:…`` for an image URI; None where it cannot be known.

        Raises:
            UnavailableError: ECR did not answer.
        """
        told = _DIGEST.fullmatch(image_uri)
        if told is not None:
            return told["digest"]
        match = _REGISTRY.fullmatch(image_uri)
        if match is None or match["region"] != self._client.meta.region_name:
            return None
        known = self._known.get(image_uri)
        if known is None or known[0] < time.monotonic():
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = (time.monotonic() + _LIFE_SECONDS, self._look_up(match))
            self._known[image_uri] = known
        return known[1]

    def _look_up(self, match: re.Match[str]) -> str | None:
        wanted = {"repositoryName": match["repository"], "imageIds": [{"imageTag": match["tag"] or "latest"}]}
        try:
            with calling(f"resolving {match[0]}"):
                if match["account"] == self._account:
                    details = self._client.describe_images(**wanted).get("imageDetails") or [{}]
                    found = details[0].get("imageDigest")
                else:
                    images = self._client.batch_get_image(
                        registryId=match["account"], acceptedMediaTypes=list(_MANIFESTS), **wanted
                    ).get("images") or [{}]
                    found = images[0].get("imageId", {}).get("imageDigest")
        except (ClientError, ParamValidationError):
            return None  # no such image, or one that the policy, or its owner, does not let us see
        return str(found) if found else None
