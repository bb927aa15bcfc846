"""The models that can be called, by identifier and ARN; a model is loaded when it is first asked."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from local.bedrock.contract import Call, Document, Model, ServiceError, invalid
from local.bedrock.models import sentiment
from local.bedrock.models.embedding import SentenceEncoder
from local.bedrock.models.forwarded import ForwardedModel
from local.bedrock.models.judge import Judge
from local.bedrock.models.translation import SYSTEMS, translation_system
from local.bedrock.published_corpora import CorpusUnavailableError
from local.bedrock.settings import BedrockSettings

TEXT, EMBEDDING = "TEXT", "EMBEDDING"
_FORWARDED = "openai."
_RETRY_SECONDS = 30.0
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:(?P<account>\d{12}|):(?P<kind>[a-z-]+)/(?P<name>.+)")
_PROFILE_PREFIX = re.compile(r"(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?=\w+[.])")
_NOT_DEPLOYED = (
    "Invocation of model ID {} with on-demand throughput isn\u2019t supported. Retry your request with the ID or ARN "
    "of an inference profile that contains this model."
)
"""Bedrock's own words for a model that cannot be called so; a custom one needs a deployment."""
_INVALID = "The provided model identifier is invalid."


@dataclass(frozen=True)
class FoundationModel:
    """A model that belongs to no account.

    Attributes:
        model_id: As ``modelId`` takes it.
        name: For people; at most 20 characters (Bedrock API reference, FoundationModelSummary).
        output: ``TEXT`` or ``EMBEDDING``.
        load: Loads the model; called once.
        can_be_customized: Whether a customization job takes it.
    """

    model_id: str
    name: str
    output: str
    load: Callable[[], Model | SentenceEncoder]
    can_be_customized: bool = False

    def details(self, call: Call) -> Document:
        """Return what ListFoundationModels and GetFoundationModel tell."""
        return {
            "modelArn": call.foundation_model_arn(self.model_id),
            "modelId": self.model_id,
            "modelName": self.name,
            "providerName": self.model_id.partition(".")[0].capitalize(),
            "inputModalities": [TEXT],
            "outputModalities": [self.output],
            "responseStreamingSupported": self.output == TEXT,
            "customizationsSupported": ["FINE_TUNING"] if self.can_be_customized else [],
            "inferenceTypesSupported": ["ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
        }


def foundation_models() -> tuple[FoundationModel, ...]:
    """Return the models that run here."""
    return (
        FoundationModel("hallmark.vader-sentiment-v1:0", "VADER", TEXT, sentiment.vader, can_be_customized=True),
        FoundationModel(
            "hallmark.textblob-sentiment-v1:0", "TextBlob", TEXT, sentiment.textblob, can_be_customized=True
        ),
        FoundationModel("hallmark.likeness-judge-v1:0", "Likeness judge", TEXT, Judge),
        FoundationModel("hallmark.usem3-embedding-v1:0", "USE multilingual v3", EMBEDDING, SentenceEncoder),
        *(
            FoundationModel(f"hallmark.wmt17-{name}-v1:0", name[:20], TEXT, partial(translation_system, name))
            for name in SYSTEMS
        ),
    )


@dataclass(frozen=True)
class ServedModel:
    """A model that can be called now.

    Attributes:
        key: Identifier of the base model, or ARN of the custom one: faults and counts go by it.
        arn: ARN.
        model: What answers.
    """

    key: str
    arn: str
    model: Model | SentenceEncoder


@dataclass
class _Loading:
    lock: threading.Lock = field(default_factory=threading.Lock)
    model: Model | SentenceEncoder | None = None
    failure: str = ""
    failed_at: float = 0.0


class Catalogue:
    """Finds models; safe for threads."""

    def __init__(self, settings: BedrockSettings) -> None:
        self._settings = settings
        self._known = {model.model_id: model for model in foundation_models()}
        self._loading = {model_id: _Loading() for model_id in self._known}
        self._custom: dict[str, Model] = {}
        self._deployed: dict[str, str] = {}

    def __iter__(self) -> Iterator[FoundationModel]:
        """Yield the foundation models in the order of their identifiers; forwarded ones are not listed."""
        return iter(sorted(self._known.values(), key=lambda model: model.model_id))

    def foundation_model(self, identifier: str) -> FoundationModel:
        """Return a foundation model by identifier, inference profile or ARN.

        Raises:
            ServiceError: There is none.
        """
        model_id = _plain(identifier)
        if model_id in self._known:
            return self._known[model_id]
        if model_id.startswith(_FORWARDED) and self._settings.openai_base_url:
            name = model_id.removeprefix(_FORWARDED)
            load = partial(ForwardedModel, name, self._settings.openai_base_url, self._settings.openai_api_key)
            return FoundationModel(model_id, name[:20], TEXT, load)
        raise ServiceError(
            "ResourceNotFoundException",
            f"Could not resolve the foundation model from the provided model identifier: {identifier}. "
            f"{self._remedy(model_id)}",
        )

    def resolve(self, identifier: str, call: Call) -> ServedModel:
        """Return the model that ``modelId`` names, loaded.

        Raises:
            ServiceError: ``ValidationException`` for what is no model's identifier, ``ResourceNotFoundException`` for
                the ARN of a model that does not exist (Bedrock API reference, Converse).
        """
        if identifier in self._custom:
            raise invalid(_NOT_DEPLOYED.format(identifier))
        custom = self._custom.get(self._deployed.get(identifier, ""))
        if custom is not None:
            return ServedModel(self._deployed[identifier], identifier, custom)
        model_id = _plain(identifier)
        if identifier.startswith("arn:") and "foundation-model/" not in identifier and model_id not in self._known:
            raise ServiceError("ResourceNotFoundException", f"The model {identifier} does not exist in this account.")
        try:
            known = self.foundation_model(identifier)
        except ServiceError as error:
            if identifier.startswith("arn:"):
                raise
            raise invalid(f"{_INVALID} {self._remedy(model_id)}") from error
        return ServedModel(known.model_id, call.foundation_model_arn(known.model_id), self._load(known))

    def add_custom(self, arn: str, model: Model) -> None:
        """Keep a custom model, which is served when it is deployed."""
        self._custom[arn] = model

    def remove_custom(self, arn: str) -> None:
        """Forget it, and serve it no longer."""
        self._custom.pop(arn, None)

    def deploy_custom(self, deployment_arn: str, model_arn: str) -> None:
        """Serve a custom model under the ARN of a deployment."""
        self._deployed[deployment_arn] = model_arn

    def remove_deployment(self, deployment_arn: str) -> None:
        """Serve it there no longer."""
        self._deployed.pop(deployment_arn, None)

    def clear(self) -> None:
        """Forget the custom models and their deployments."""
        self._custom.clear()
        self._deployed.clear()

    def _load(self, known: FoundationModel) -> Model | SentenceEncoder:
        loading = self._loading.get(known.model_id)
        if loading is None:  # a forwarded model is loaded elsewhere
            return known.load()
        if loading.model is None:
            with loading.lock:
                if loading.model is None:
                    # A run asks for thousands of answers; without a network each would wait for pip.
                    if loading.failure and time.monotonic() - loading.failed_at < _RETRY_SECONDS:
                        raise invalid(loading.failure)
                    try:
                        loading.model = known.load()
                    except CorpusUnavailableError as error:
                        loading.failure, loading.failed_at = str(error), time.monotonic()
                        raise invalid(loading.failure) from error
        return loading.model

    def _remedy(self, model_id: str) -> str:
        if model_id.startswith(_FORWARDED):
            return "Models openai.<name> are served when HALLMARK_OPENAI_BASE_URL names an OpenAI-compatible server."
        return f"The local cloud serves {', '.join(sorted(self._known))}."


def _plain(identifier: str) -> str:
    """Return the foundation model's identifier in ``identifier``: an ARN, an inference profile, or itself."""
    match = _ARN.fullmatch(identifier)
    name = match["name"] if match else identifier
    return _PROFILE_PREFIX.sub("", name) if not match or match["kind"] == "inference-profile" else name
