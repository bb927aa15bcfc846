from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bedrock import published_corpora
from local.bedrock.contract import HttpRequest
from local.bedrock.faults import NONSENSE, Fault
from local.bedrock.rest import RUNTIME
from local.bedrock.service import BedrockService
from local.bedrock.settings import BedrockSettings

VADER = "hallmark.vader-sentiment-v1:0"
TEXTBLOB = "hallmark.textblob-sentiment-v1:0"
JUDGE = "hallmark.likeness-judge-v1:0"
PROMPT = "Say positive, negative or neutral.\n\nText: I love this phone"


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_an_answer_tells_tokens_latency_and_why_it_ended(bedrock: Any) -> None:
    answer = bedrock.say(VADER, PROMPT, requestMetadata={"run": "7"})

    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": "positive"}]}
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] > usage["outputTokens"] > 0
    assert answer["metrics"]["latencyMs"] >= 0


def test_the_two_sentiment_models_really_differ(bedrock: Any) -> None:
    prompt = "Say positive, negative or neutral.\n\nText: The plot was not bad at all, LOL :)"

    assert (bedrock.text(VADER, prompt), bedrock.text(TEXTBLOB, prompt)) == ("positive", "positive")
    sober = "Say positive, negative or neutral.\n\nText: He died of cancer"
    assert (bedrock.text(VADER, sober), bedrock.text(TEXTBLOB, sober)) == ("negative", "neutral")


def test_the_same_question_gets_the_same_answer_by_all_three_operations(bedrock: Any) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": PROMPT}]}]})
    invoked = json.loads(bedrock.runtime.invoke_model(modelId=VADER, body=body)["body"].read())
    streamed = bedrock.runtime.converse_stream(
        modelId=VADER, messages=[{"role": "user", "content": [{"text": PROMPT}]}]
    )["stream"]
    parts = [event["contentBlockDelta"]["delta"]["text"] for event in streamed if "contentBlockDelta" in event]

    assert invoked["output"]["message"]["content"][0]["text"] == "".join(parts) == bedrock.text(VADER, PROMPT)


def test_a_reply_is_cut_at_the_length_and_the_stop_sequence_asked_for(bedrock: Any) -> None:
    question = "<question>Who?</question><answer>a b</answer><expected>a b</expected>"
    whole = bedrock.text(JUDGE, question)
    cut = bedrock.say(JUDGE, question, inferenceConfig={"maxTokens": 3})
    stopped = bedrock.say(JUDGE, question, inferenceConfig={"stopSequences": ["answer"]})

    assert (cut["stopReason"], cut["usage"]["outputTokens"]) == ("max_tokens", 3)
    assert whole.startswith(cut["output"]["message"]["content"][0]["text"])
    assert (stopped["stopReason"], stopped["output"]["message"]["content"][0]["text"]) == ("stop_sequence", "The ")


def test_tokens_counted_beforehand_are_those_of_the_call(bedrock: Any) -> None:
    conversation = {"messages": [{"role": "user", "content": [{"text": PROMPT}]}], "system": [{"text": "Be brief."}]}
    counted = bedrock.runtime.count_tokens(modelId=VADER, input={"converse": conversation})

    assert counted["inputTokens"] == bedrock.runtime.converse(modelId=VADER, **conversation)["usage"]["inputTokens"]


def test_a_sentence_encoder_gives_a_vector_of_length_one(bedrock: Any) -> None:
    body = json.dumps({"inputText": "A cat sat on the mat"})
    answer = json.loads(bedrock.runtime.invoke_model(modelId="hallmark.usem3-embedding-v1:0", body=body)["body"].read())

    assert sum(number**2 for number in answer["embedding"]) == pytest.approx(1, abs=1e-3)
    assert answer["inputTextTokenCount"] == 6


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("nobody.knows-this-v1:0", "ValidationException"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/nobody.knows-this-v1", "ResourceNotFoundException"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:custom-model/hallmark.vader-sentiment-v1/abcdefghijkl",
            "ResourceNotFoundException",
        ),
    ],
)
def test_a_model_that_does_not_exist_is_refused(bedrock: Any, model: str, code: str) -> None:
    with pytest.raises(ClientError) as error:
        bedrock.say(model, PROMPT)

    assert code_of(error) == code


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "assistant", "content": [{"text": "Hello"}]}],
        [{"role": "user", "content": [{"text": PROMPT}]}, {"role": "assistant", "content": [{"text": "Sure:"}]}],
        [{"role": "user", "content": [{"text": " "}]}],
        [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": b"1"}}}]}],
    ],
)
def test_a_conversation_that_no_model_could_answer_is_refused(bedrock: Any, messages: list[Any]) -> None:
    with pytest.raises(ClientError) as error:
        bedrock.runtime.converse(modelId=VADER, messages=messages)

    assert code_of(error) == "ValidationException"


def test_a_model_is_found_by_its_arn_and_by_an_inference_profile_too(bedrock: Any) -> None:
    arn = f"arn:aws:bedrock:eu-west-1::foundation-model/{VADER}"

    assert bedrock.text(arn, PROMPT) == bedrock.text(f"eu.{VADER}", PROMPT) == "positive"
    assert bedrock.service.faults.calls(VADER).answered == 2


def test_the_models_are_listed_with_what_they_can_do(bedrock: Any) -> None:
    listed = bedrock.control.list_foundation_models()["modelSummaries"]
    tunable = bedrock.control.list_foundation_models(byCustomizationType="FINE_TUNING")["modelSummaries"]

    assert sum("wmt17" in model["modelId"] for model in listed) == 16
    assert {model["modelId"] for model in tunable} == {VADER, TEXTBLOB}
    assert bedrock.control.get_foundation_model(modelIdentifier=VADER)["modelDetails"] in listed
    with pytest.raises(ClientError) as error:
        bedrock.control.get_foundation_model(modelIdentifier="nobody.knows-this-v1")
    assert code_of(error) == "ResourceNotFoundException"


def test_what_is_not_implemented_is_refused_by_name(bedrock: Any) -> None:
    with pytest.raises(ClientError, match="does not implement bedrock:ListGuardrails"):
        bedrock.control.list_guardrails()


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (Fault(throttle_every=3), "ThrottlingException", 429),
        (Fault(unavailable_every=3), "ServiceUnavailableException", 503),
        (Fault(model_error_every=3), "ModelErrorException", 424),
        (Fault(timeout_every=3), "ModelTimeoutException", 408),
    ],
)
def test_every_third_request_meets_the_fault(bedrock: Any, fault: Fault, code: str, status: int) -> None:
    bedrock.service.faults.set(VADER, fault)
    met = []
    for number in range(1, 7):
        try:
            bedrock.say(VADER, PROMPT)
        except ClientError as error:
            met.append((number, error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))

    assert met == [(3, code, status), (6, code, status)]
    calls = bedrock.service.faults.calls(VADER)
    assert (calls.requests, calls.answered, dict(calls.refused)) == (6, 4, {code: 2})


def test_a_model_can_talk_nonsense_and_take_its_time(bedrock: Any) -> None:
    bedrock.service.faults.set(VADER, Fault(nonsense_every=2, latency_seconds=1.5))
    answers = [bedrock.say(VADER, PROMPT) for _ in range(2)]

    assert [answer["output"]["message"]["content"][0]["text"] for answer in answers] == ["positive", NONSENSE]
    assert bedrock.delays[-2:] == [1.5, 1.5]
    assert all(answer["metrics"]["latencyMs"] >= 1500 for answer in answers)


def test_a_question_that_was_answered_twice_is_seen(bedrock: Any) -> None:
    for text in ("one", "two", "one"):
        bedrock.say(VADER, f"positive or negative?\n\nText: {text}")

    assert bedrock.service.faults.calls(VADER).repeated == 1
    bedrock.service.faults.forget_calls()
    assert bedrock.service.faults.calls(VADER).requests == 0


def test_data_that_cannot_be_fetched_is_explained_and_not_asked_for_again_at_once(
    bedrock: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[str] = []

    def no_network(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        tried.append(command[-1])
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no network")

    published_corpora.wmt17.cache_clear()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cdk.json").touch()
    monkeypatch.setattr(subprocess, "run", no_network)

    for _ in range(3):
        with pytest.raises(ClientError, match="it needs the network once") as error:
            bedrock.text("hallmark.wmt17-kit-v1:0", "[newstest2017:0001]")
        assert code_of(error) == "ValidationException"

    assert tried == ["sacrebleu==2.6.0"]


class _ChatServer(BaseHTTPRequestHandler):
    received: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.received.append({"path": self.path, "key": self.headers.get("Authorization"), **document})
        busy = document["model"] == "busy"
        answer = {
            "choices": [{"message": {"content": "Paris"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 3},
        }
        self.send_response(429 if busy else 200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def chat_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _ChatServer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def converse(service: BedrockService, model: str) -> tuple[int, dict[str, Any]]:
    body = {
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"text": "Capital of France?"}]}],
        "inferenceConfig": {"maxTokens": 5, "temperature": 0.5},
    }
    path = f"/model/{model}/converse"
    request = HttpRequest("POST", path, {}, {}, json.dumps(body).encode(), "1" * 12, "us-east-1", "")
    (status, _, content), _ = service.handle(RUNTIME, request)
    return status, json.loads(content)


def test_an_openai_compatible_server_serves_its_models(chat_server: str) -> None:
    service = BedrockService(BedrockSettings(openai_base_url=chat_server, openai_api_key="secret"))

    status, answer = converse(service, "openai.llama3.2:3b")

    assert status == 200
    assert answer["output"]["message"]["content"] == [{"text": "Paris"}]
    assert (answer["stopReason"], answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (
        "max_tokens",
        11,
        3,
    )
    asked = _ChatServer.received[-1]
    assert (asked["path"], asked["key"], asked["model"]) == ("/v1/chat/completions", "Bearer secret", "llama3.2:3b")
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert (asked["max_tokens"], asked["temperature"]) == (5, 0.5)
    assert converse(service, "openai.busy")[0] == 429
    service.close()


def test_without_a_server_its_models_are_refused_with_the_variable_to_set() -> None:
    service = BedrockService(BedrockSettings(openai_base_url="", openai_api_key=""))
    status, answer = converse(service, "openai.llama3.2:3b")
    absent = BedrockService(BedrockSettings(openai_base_url="http://127.0.0.1:9", openai_api_key=""))
    refused = converse(absent, "openai.llama3.2:3b")

    assert status == 400
    assert "HALLMARK_OPENAI_BASE_URL" in answer["message"]
    assert refused[0] == 503
    service.close()
    absent.close()
