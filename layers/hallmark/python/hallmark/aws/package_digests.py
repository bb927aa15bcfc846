"""What a model package consists of, in a digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any


def package_digest(described: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of what serves: a package whose containers are exchanged is another model.

    Args:
        described: What DescribeModelPackage answered.
    """
    parts = [described.get("InferenceSpecification"), described.get("AdditionalInferenceSpecifications")]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
