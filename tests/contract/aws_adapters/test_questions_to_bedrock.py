"""What Bedrock is asked, against the patterns of its own model."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import get_session
from botocore.stub import ANY, Stubber

from hallmark.aws.bedrock import BedrockModels
from hallmark.evaluation.cases import Message
from hallmark.evaluation.suites import Inference

SENT = ("modelId", "messages", "inferenceConfig", "requestMetadata")
REPLY = {
    "output": {"message": {"role": "assistant", "content": [{"text": "yes"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
    "metrics": {"latencyMs": 12},
}


@pytest.mark.parametrize("tag", ["d/case-7/0", "d/case-7~typos~1/0", "d/Größe (1)/0", "d/質問/0", "d/" + "x" * 400])
def test_any_name_of_a_case_may_stand_in_the_log_of_invocations(tag: str) -> None:
    session = get_session()
    shape: Any = session.get_service_model("bedrock-runtime").operation_model("Converse").input_shape
    value = shape.members["requestMetadata"].value.metadata
    client = session.create_client(
        "bedrock-runtime", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    asked: list[dict[str, Any]] = []
    client.meta.events.register("provide-client-params.*", lambda params, **_: asked.append(params))
    with Stubber(client) as stub:
        stub.add_response(
            "converse", REPLY, dict.fromkeys(("modelId", "messages", "inferenceConfig"), ANY) | {"requestMetadata": ANY}
        )
        answer = BedrockModels(client).ask("m", [Message(role="user", text="?")], None, Inference(), tag)

    (sent,) = (params["requestMetadata"]["hallmark"] for params in asked)
    assert re.fullmatch(value["pattern"], sent)
    assert sent.startswith("d/")
    assert (answer.text, answer.latency_ms) == ("yes", 12)
    assert answer.answered_at <= datetime.now(UTC)
