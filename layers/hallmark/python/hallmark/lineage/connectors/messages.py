"""What wakes the function that looks at other tools: a schedule, its own last message, a webhook."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from hallmark.errors import InvalidInputError
from hallmark.lineage.connectors.kubeflow.syncing import KubeflowPass
from hallmark.lineage.connectors.mlflow.syncing import MlflowPass, MlflowWebhook


class SentWebhook(BaseModel):
    """A webhook that was let in."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    server: str
    webhook: MlflowWebhook


class Wake(BaseModel):
    """One of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    mlflow: MlflowPass | None = None
    kubeflow: KubeflowPass | None = None
    webhook: SentWebhook | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Wake:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError("name one of mlflow, kubeflow, webhook")
        return self


def read_wake(body: str) -> Wake:
    """Read a message.

    Raises:
        InvalidInputError: It is none of these.
    """
    try:
        return Wake.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("the message", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], f'{fault["msg"]}; send {{"mlflow": {{"server": …}}}}') from None
