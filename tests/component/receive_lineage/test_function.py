"""The function ``receive_lineage``: messages, requests and calls, with what is counted."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from hallmark.errors import InvalidInputError
from tests.component.receive_lineage.conftest import http_request
from tests.fakes.foreign_lineage import ForeignLineage, run_event


class Context:
    """What powertools asks of Lambda's context."""

    function_name = function_version = invoked_function_arn = aws_request_id = "receive_lineage"
    memory_limit_in_mb = 128


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, lineage: ForeignLineage) -> ModuleType:
    path = Path(__file__).parents[3] / "functions" / "receive_lineage" / "handler.py"
    spec = importlib.util.spec_from_file_location("receive_lineage_handler", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {
        "LINEAGE_TABLE_NAME": "lineage",
        "EVENT_BUS_NAME": "hallmark",
        "DEAD_LETTER_QUEUE_URL": "https://queue",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "intake", lambda: lineage.intake)
    return module


def test_a_message_is_taken_and_one_that_never_can_be_is_a_dead_letter(
    function: ModuleType, lineage: ForeignLineage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: list[str] = []
    monkeypatch.setattr(function, "refuse", lambda body, _error: refused.append(body))
    bodies = [json.dumps(run_event(inputs=[("hdfs://n", "/typo")])), '{"run": {}}', "{"]
    records = [
        {"messageId": str(number), "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
        for number, body in enumerate(bodies)
    ]

    assert function.handler({"Records": records}, Context()) == {"batchItemFailures": []}
    assert refused == bodies[1:]
    assert lineage.nodes("run") == {"openlineage:3f5e83fa-3480-44ff-99c5-ff943904e5e8"}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert any(line.get("InputsUnmatched") == [1] for line in lines)


def test_a_request_and_a_call_are_taken(function: ModuleType, lineage: ForeignLineage) -> None:
    answer = function.handler(http_request(json.dumps(run_event("START"))), Context())
    assert answer["statusCode"] == 201
    told = function.handler({"events": [run_event("COMPLETE")], "by": "arn:aws:iam::1:user/u"}, Context())
    assert told["events"] == 1
    with pytest.raises(InvalidInputError):
        function.handler({"events": [{}]}, Context())
