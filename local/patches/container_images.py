"""ECR answers for an image that is not there as AWS does: ``DescribeImages`` with an error instead of an empty list.

Source: ECR API reference, DescribeImages, ``ImageNotFoundException``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import ecr

from local.patches.replacement import replace_function


def apply() -> None:
    """Mend ``DescribeImages``.

    Raises:
        EmulatorChangedError: MiniStack's ECR is no longer what it was.
    """
    replace_function(ecr, "_describe_images", ("data",), _with_missing_images)


def _with_missing_images(original: Any) -> Any:
    def describe_images(data: Mapping[str, Any]) -> Any:
        repository = data.get("repositoryName", "")
        if repository in ecr._repositories:
            for image in data.get("imageIds") or ():
                if not ecr._find_image(repository, image):
                    described = ", ".join(f"{name}:'{value}'" for name, value in image.items())
                    return error_response_json(
                        "ImageNotFoundException",
                        f"The image with imageId {{{described}}} does not exist within the repository with name "
                        f"'{repository}' in the registry with id '{get_account_id()}'",
                        400,
                    )
        return original(data)

    return describe_images
