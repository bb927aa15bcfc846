"""What an account has, listed kind by kind and page by page, as far as an allowance goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from hallmark.errors import HallmarkError

SWEPT: tuple[str, ...] = (
    "processing-job",
    "hyper-parameter-tuning-job",
    "training-job",
    "labeling-job",
    "job",
    "model-package-group",
    "model-package",
    "model",
    "transform-job",
    "endpoint-config",
    "endpoint",
    "feature-group",
    "model-card",
    "pipeline-execution",
    "model-customization-job",
    "model-invocation-job",
)
"""Kinds in the order of a sweep: what others refer to comes first."""


class Listed(NamedTuple):
    """One resource of a listing.

    ``traits`` are attributes that the listing tells and that change without the time that it tells (a model package's
    approval), by the names that states have.
    """

    arn: str
    created_at: datetime | None = None
    status: str | None = None
    changed_at: datetime | None = None
    traits: tuple[tuple[str, str], ...] = ()


class Page(NamedTuple):
    """A page of a listing, and the token of the next one."""

    resources: list[Listed]
    following: str | None


class ListingRefusedError(HallmarkError):
    """AWS refuses to list a kind, and will until somebody allows it: no use in waiting."""


class ResourceLister(Protocol):
    """The account's resources."""

    def page(self, resource: str, since: datetime | None, token: str | None) -> Page:
        """List resources of a kind that changed since a time, where AWS can tell; all of them, where it cannot.

        Raises:
            InvalidInputError: The token is no longer valid.
            ListingRefusedError: The permission is missing, or this Region does not have the operation.
            UnavailableError: AWS did not answer.
        """
        ...

    def steps(self, execution_arn: str) -> Iterator[dict[str, object]]:
        """Yield the steps of a pipeline execution, each as the detail of its event.

        Raises:
            UnavailableError: AWS did not answer, or refuses.
        """
        ...


class Allowance:
    """What one invocation may still do.

    Args:
        may_go_on: Whether there is time left.
        describes: Resources that may be described.
        requests: Requests to SageMaker and Bedrock (lists, descriptions, tags).
    """

    def __init__(self, may_go_on: Callable[[], bool], *, describes: int, requests: int) -> None:
        self._may_go_on = may_go_on
        self._describes = describes
        self._requests = requests

    def take(self, *, requests: int, describes: int = 0) -> None:
        """Count what is about to be done."""
        self._requests -= requests
        self._describes -= describes

    @property
    def is_spent(self) -> bool:
        """Tell whether another invocation must go on."""
        return self._describes <= 0 or self._requests <= 0 or not self._may_go_on()
