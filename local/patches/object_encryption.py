"""S3 falls back to AWS's own key where a write asks for ``aws:kms`` and names none.

MiniStack refuses such a write. Source: S3 API reference, PutObject, ``x-amz-server-side-encryption-aws-kms-key-id``:
"if you specify aws:kms but do not provide a key, S3 uses the AWS managed key (aws/s3)".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import s3

from local.patches.replacement import replace_function

_ALGORITHM = "x-amz-server-side-encryption"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"


def apply() -> None:
    """Mend writes.

    Raises:
        EmulatorChangedError: MiniStack's S3 is no longer what it was.
    """
    replace_function(s3, "_resolve_sse_write_headers", ("headers", "bucket_name"), _with_managed_key)


def _with_managed_key(original: Any) -> Any:
    def resolve(headers: Mapping[str, str], bucket_name: str) -> Any:
        if headers.get(_ALGORITHM) == "aws:kms" and not headers.get(_KEY):
            headers = {**headers, _KEY: f"arn:aws:kms:{get_region()}:{get_account_id()}:alias/aws/s3"}
        return original(headers, bucket_name)

    return resolve
