"""Connectors as functions use them: the server's API with its secret, the memory, the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from hallmark.aws.clients import client
from hallmark.aws.connector_memory import BusReporter, DynamoConnectorMemory
from hallmark.aws.secrets import Secrets
from hallmark.aws.tool_api import HttpToolApi, authorization, secret_fields
from hallmark.errors import InvalidInputError
from hallmark.lineage.connectors.kubeflow.syncing import KubeflowSync
from hallmark.lineage.connectors.kubeflow.translation import TOOL as KUBEFLOW
from hallmark.lineage.connectors.kubeflow.translation import Installation
from hallmark.lineage.connectors.messages import Wake
from hallmark.lineage.connectors.mlflow.api import MlflowApi
from hallmark.lineage.connectors.mlflow.syncing import MlflowSync
from hallmark.lineage.connectors.mlflow.translation import TOOL as MLFLOW
from hallmark.lineage.connectors.mlflow.translation import Server
from hallmark.lineage.connectors.settings import ConnectorsPolicy, MlflowServer, ToolServer
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.intake.settings import ForeignLineagePolicy


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def tool_api(server: ToolServer, secrets: Secrets) -> HttpToolApi:
    """Return the API of a server, with the token that its secret holds.

    Raises:
        InvalidInputError: There is no such secret.
        UnavailableError: It cannot be read now.
    """
    header = authorization(secrets.read(server.secret)) if server.secret else ""
    return HttpToolApi(server.url, header, requests_per_second=server.requests_per_second)


def mlflow_sync(server: MlflowServer, names: Names, *, table: str, bus: str, secrets: Secrets) -> MlflowSync:
    """Return the connector to an MLflow server.

    Raises:
        InvalidInputError: Its secret is missing.
        UnavailableError: Its secret cannot be read now.
    """
    return MlflowSync(
        Server(server.name, server.artifacts, names),
        MlflowApi(tool_api(server, secrets)),
        DynamoConnectorMemory(table, client("dynamodb"), MLFLOW, server.name),
        BusReporter(bus, client("events")),
        utc_now,
    )


class ServerSecrets:
    """With what each MLflow server of the policy signs."""

    def __init__(self, servers: Iterable[MlflowServer], secrets: Secrets) -> None:
        self._servers = {server.name: server for server in servers}
        self._secrets = secrets

    @classmethod
    def read(cls, section: str, secrets: Secrets) -> Self:
        """Read the section ``lineage`` of the policy."""
        return cls(ConnectorsPolicy.model_validate_json(section).mlflow, secrets)

    def webhook_secret(self, server: str) -> str | None:
        """Return the secret with which a server signs; None for a server that policy does not name.

        Raises:
            InvalidInputError: It has none.
            UnavailableError: It cannot be read now.
        """
        named = self._servers.get(server)
        if named is None:
            return None
        held = self._secrets.read(named.secret) if named.secret else ""
        found = secret_fields(held).get("webhook_secret", "") if held.lstrip().startswith("{") else ""
        if not found:
            remedy = 'put {"token": "…", "webhook_secret": "…"} into the secret that hallmark.yaml names for the server'
            raise InvalidInputError(f"the webhook secret of {server}", None, remedy)
        return found


@dataclass(frozen=True)
class ToolServers:
    """All servers of the policy, and what is done with them.

    Args:
        policy: Which there are.
        names: The one name of each place.
        table: Name of the connectors' table.
        bus: Name of the hallmark bus.
        secrets: Tokens.
    """

    policy: ConnectorsPolicy
    names: Names
    table: str
    bus: str
    secrets: Secrets

    @classmethod
    def read(cls, section: str, *, table: str, bus: str, secrets: Secrets) -> Self:
        """Read the section ``lineage`` of the policy."""
        foreign = ForeignLineagePolicy.model_validate_json(section)
        names = Names(foreign.aliases, keep_partitions=foreign.intake.keep_partitions)
        return cls(ConnectorsPolicy.model_validate_json(section), names, table, bus, secrets)

    def work(self, wake: Wake, has_time: Callable[[], bool]) -> tuple[int, Wake | None]:
        """Do what a message asks for; return how many sections were told, and the message that goes on.

        Raises:
            InvalidInputError: Policy names no such server, or the server refuses.
            UnavailableError: The server, or something of AWS, does not answer now.
        """
        if wake.webhook is not None:
            return self._mlflow(wake.webhook.server).follow(wake.webhook.webhook), None
        if wake.kubeflow is not None:
            progress = self._kubeflow(wake.kubeflow.server).go_on(wake.kubeflow, has_time)
            return progress.told, None if progress.following is None else Wake(kubeflow=progress.following)
        begun = wake.mlflow
        if begun is None:
            return 0, None
        told, following = self._mlflow(begun.server).go_on(begun, has_time)
        return told, None if following is None else Wake(mlflow=following)

    def _mlflow(self, name: str) -> MlflowSync:
        for server in self.policy.mlflow:
            if server.name == name:
                return mlflow_sync(server, self.names, table=self.table, bus=self.bus, secrets=self.secrets)
        raise _unnamed(name, "mlflow", self.policy.mlflow)

    def _kubeflow(self, name: str) -> KubeflowSync:
        for server in self.policy.kubeflow:
            if server.name == name:
                return KubeflowSync(
                    Installation(server.name, self.names),
                    tool_api(server, self.secrets),
                    DynamoConnectorMemory(self.table, client("dynamodb"), KUBEFLOW, server.name),
                    BusReporter(self.bus, client("events")),
                    utc_now,
                    server.namespaces,
                )
        raise _unnamed(name, "kubeflow", self.policy.kubeflow)


def _unnamed(name: str, tool: str, servers: Sequence[ToolServer]) -> InvalidInputError:
    known = ", ".join(server.name for server in servers) or "no server"
    return InvalidInputError("server", name, f"hallmark.yaml names {known} under lineage.{tool}")
