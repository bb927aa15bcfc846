"""Planning a rollback: what lineage says was good, as far as SageMaker still has it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from hallmark.aws.endpoint_history import EndpointHistory, is_another
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.gates.rolling_back import Candidate, RollbackOrder, candidates, is_outdated

_CONSIDERED = 10
"""Configurations that are looked at before it is given up."""
_BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})


class EndpointBusyError(UnavailableError):
    """The endpoint is changing: it takes no update before that is over."""


class Planned(NamedTuple):
    """What to do with an endpoint."""

    do: Literal["update", "fail", "skip"]
    reason: str = ""
    from_config: str = ""
    to_config: str = ""
    from_arn: str = ""
    to_arn: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as the workflow takes it."""
        return self._asdict()


def plan(order: RollbackOrder, history: EndpointHistory) -> Planned:
    """Return what to do.

    Raises:
        EndpointBusyError: The endpoint is changing.
        UnavailableError: SageMaker or lineage did not answer.
    """
    try:
        endpoint = history.describe(order.endpoint_name)
    except NotFoundError as error:
        return Planned("fail", f"{error} any more")
    status, current = str(endpoint["EndpointStatus"]), str(endpoint["EndpointConfigName"])
    if status in _BUSY:
        raise EndpointBusyError(f"endpoint {order.endpoint_name} is {status}")
    if status not in {"InService", "UpdateRollbackFailed"}:
        return Planned("fail", f"the endpoint is {status}", current)
    current_arn = _config_arn(order.endpoint, current)
    services = history.services(order.endpoint)
    if is_outdated(services, current_arn, order.decided_at):
        return Planned("skip", f"the endpoint has served {current} since after the verdict", current)
    refused = []
    for candidate in candidates(services, current_arn, history.failed_verdicts(order.endpoint))[:_CONSIDERED]:
        name = history.name_of(candidate.config)
        why = _why_not(candidate, name, history)
        if why is None:
            return Planned("update", "", current, name, current_arn, candidate.config)
        refused.append(f"{name} {why}")
    said = "; ".join(refused) or "lineage knows of none that was in service and that no verdict speaks against"
    return Planned("fail", f"there is no earlier configuration to go back to: {said}", current)


def _why_not(candidate: Candidate, name: str, history: EndpointHistory) -> str | None:
    try:
        described = history.describe_config(name)
    except NotFoundError:
        return "was deleted"
    if is_another(described, candidate.since):
        return "was deleted and made anew"
    rejected = history.rejected_model(candidate.config)
    return f"serves {rejected}, which was rejected" if rejected is not None else None


def _config_arn(endpoint: str, name: str) -> str:
    return endpoint.partition(":endpoint/")[0] + f":endpoint-config/{name.lower()}"
