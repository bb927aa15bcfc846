"""Models behind Bedrock's Converse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from time import perf_counter
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
)

from hallmark.aws.clients import make_client
from hallmark.aws.failures import describe_error, error_code
from hallmark.evaluation.cases import Message
from hallmark.evaluation.converse import converse_body, read_reply
from hallmark.evaluation.ports import NoReplyError, RefusedError, ThrottledError
from hallmark.evaluation.results import Answer
from hallmark.evaluation.suites import Inference

_LATER = frozenset(
    {
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ServiceUnavailableException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Errors of Converse after which nothing was answered, and nothing is paid (Bedrock API reference, Converse)."""
_NOT_IN_TAG = re.compile(r"[^a-zA-Z0-9\s:_@$#=/+,-.]")
_TAG_LENGTH = 256
"""Of a value of requestMetadata (Bedrock API reference, Converse)."""
_LANES = 16


@cache
def bedrock_runtime() -> Any:
    """Return the client of Bedrock's runtime.

    It never repeats a call by itself: botocore would repeat one whose reply did not come, and that one may be paid.
    """
    return make_client(
        "bedrock-runtime",
        Config(
            connect_timeout=3,
            read_timeout=55,
            retries={"total_max_attempts": 1, "mode": "standard"},
            user_agent_extra="hallmark",
            max_pool_connections=_LANES,
        ),
    )


class BedrockModels:
    """Models over Converse."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ask(
        self, model_id: str, conversation: Sequence[Message], system: str | None, inference: Inference, tag: str
    ) -> Answer:
        """Ask once.

        Raises:
            ThrottledError: Too many requests, or the service is not available: ask again later.
            RefusedError: No such model, no access, an input that it cannot take.
            NoReplyError: The reply did not come.
        """
        request = {
            "modelId": model_id,
            **converse_body(conversation, system, inference),
            "requestMetadata": {"hallmark": _NOT_IN_TAG.sub("_", tag)[:_TAG_LENGTH]},
        }
        started = perf_counter()
        try:
            reply = self._client.converse(**request)
        except ClientError as error:
            if error_code(error) in _LATER:
                raise ThrottledError(describe_error(error)) from error
            if error_code(error) == "ModelTimeoutException":
                raise NoReplyError(describe_error(error)) from error
            # "The provided model identifier is invalid" does not say which.
            raise RefusedError(f"{model_id}: {describe_error(error)}") from error
        except ParamValidationError as error:
            raise RefusedError(str(error)) from error
        except (ConnectTimeoutError, EndpointConnectionError) as error:
            raise ThrottledError(str(error)) from error
        except BotoCoreError as error:
            raise NoReplyError(str(error)) from error
        elapsed_ms = (perf_counter() - started) * 1000
        return read_reply(
            reply,
            answered_at=datetime.now(UTC),
            latency_ms=elapsed_ms,
            request_id=reply.get("ResponseMetadata", {}).get("RequestId"),
        )
