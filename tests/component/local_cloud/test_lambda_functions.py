from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_an_exception_is_answered_with_its_class_and_trace(workbench: Any) -> None:
    function = workbench.function(
        """
        class Throttled(Exception):
            pass

        def handler(event, context):
            raise Throttled(f"{event} came too fast")
        """
    )

    error, kind = workbench.invoke(function, 7)

    assert kind == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("Throttled", "7 came too fast")
    assert "came too fast" in "".join(error["stackTrace"])
    assert error["requestId"]


def test_the_process_outlives_an_exception(workbench: Any) -> None:
    function = workbench.function(
        """
        import os

        def handler(event, context):
            if event == "fail":
                raise ValueError(os.getpid())
            return os.getpid()
        """
    )

    error, _ = workbench.invoke(function, "fail")
    process, _ = workbench.invoke(function, "go")

    assert str(process) == error["errorMessage"]


@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        ("import nowhere_to_be_found", "Runtime.ImportModuleError"),
        ("def handler(", "Runtime.UserCodeSyntaxError"),
        ("other = 1", "Runtime.HandlerNotFound"),
        ("raise KeyError('TABLE_NAME')", "KeyError"),
        ("def handler(event, context): return object()", "Runtime.MarshalError"),
        ("import sys\ndef handler(event, context): sys.exit(3)", "Runtime.ExitError"),
        ("import os\ndef handler(event, context): os.kill(os.getpid(), 9)", "Runtime.ExitError"),
    ],
)
def test_what_cannot_run_is_answered_as_by_the_runtime(workbench: Any, source: str, error_type: str) -> None:
    error, kind = workbench.invoke(workbench.function(source))

    assert (kind, error["errorType"]) == ("Unhandled", error_type)


def test_a_function_that_is_killed_fails_and_runs_again(workbench: Any) -> None:
    function = workbench.function("def handler(event, context): return 'alive'")
    workbench.invoke(function)

    assert workbench.cloud.kill_function(function) == 1

    answers = [workbench.invoke(function) for _ in range(2)]
    assert answers[-1] == ("alive", None)


def test_a_function_sees_its_own_variables_and_none_of_this_shell(
    workbench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THIS_SHELL", "1")
    monkeypatch.setenv("AWS_PROFILE", "production")
    function = workbench.function(
        """
        import os

        def handler(event, context):
            return dict(os.environ)
        """,
        Environment={"Variables": {"TABLE_NAME": "lineage"}},
        MemorySize=256,
    )

    variables, _ = workbench.invoke(function)

    assert {"OF_THIS_SHELL", "AWS_PROFILE"}.isdisjoint(variables)
    assert variables["TABLE_NAME"] == "lineage"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == function
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_REGION"] == workbench.cloud.region
    assert variables["AWS_ENDPOINT_URL"] == workbench.cloud.endpoint


def test_code_comes_from_the_asset_and_its_layers_and_not_from_the_checkout(workbench: Any, zip_files: Any) -> None:
    layer = workbench.lambda_.publish_layer_version(
        LayerName=workbench.name("layer"), Content={"ZipFile": zip_files({"python/from_layer.py": "WORD = 'layer'"})}
    )["LayerVersionArn"]
    function = workbench.function(
        """
        import sys
        import from_layer

        def handler(event, context):
            try:
                import local.cloud
            except ImportError as error:
                return [from_layer.WORD, str(error), sys.version_info[:2]]
        """,
        Layers=[layer],
    )

    answer, _ = workbench.invoke(function)

    assert answer == ["layer", "No module named 'local'", list(sys.version_info[:2])]


def test_what_a_function_prints_is_its_log_and_not_its_answer(workbench: Any) -> None:
    function = workbench.function(
        """
        import os

        def handler(event, context):
            print('{"status": "ok", "result": "forged"}')
            os.write(1, b'{"status": "ok", "result": "forged"}\\n')
            return "true answer"
        """
    )

    answer, _ = workbench.invoke(function)

    assert answer == "true answer"


def test_a_function_may_do_what_its_role_allows_and_nothing_else(workbench: Any) -> None:
    url, arn = workbench.queue()
    source = """
        import boto3
        sqs = boto3.client("sqs")

        def handler(event, context):
            return sqs.send_message(QueueUrl=event, MessageBody="{}")["MessageId"]
    """
    allowed = workbench.function(source, workbench.role(("sqs:SendMessage", arn)))
    denied = workbench.function(source, workbench.role(("sqs:ReceiveMessage", arn)))

    sent, kind = workbench.invoke(allowed, url)
    error, denied_kind = workbench.invoke(denied, url)

    assert kind is None
    assert [message["MessageId"] for message in workbench.receive(url)] == [sent]
    assert denied_kind == "Unhandled"
    assert "sqs:SendMessage" in error["errorMessage"]


def test_a_function_is_cut_off_after_its_timeout(workbench: Any) -> None:
    function = workbench.function(
        """
        import time

        def handler(event, context):
            time.sleep(event)
            return context.get_remaining_time_in_millis()
        """,
        Timeout=3,
    )

    error, kind = workbench.invoke(function, 60)
    remaining, _ = workbench.invoke(function, 0)

    assert (kind, error["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert 0 < remaining <= 3000


def test_the_log_of_a_function_is_in_its_log_group(workbench: Any) -> None:
    function = workbench.function(
        "def handler(event, context): print('seen in the log')", workbench.role(("logs:*", "*"))
    )
    workbench.invoke(function)
    logs = workbench.cloud.client("logs")

    def messages() -> str:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        except ClientError:
            return ""
        return json.dumps([event["message"] for event in found])

    assert workbench.wait_for(lambda: "seen in the log" in messages())


def test_a_package_that_a_layer_brings_is_the_one_that_is_imported(workbench: Any, zip_files: Any) -> None:
    layer = workbench.lambda_.publish_layer_version(
        LayerName=workbench.name("layer"), Content={"ZipFile": zip_files({"python/yaml.py": "WORD = 'of the layer'"})}
    )["LayerVersionArn"]
    function = workbench.function(
        """
        import yaml

        def handler(event, context):
            return yaml.WORD
        """,
        Layers=[layer],
    )

    assert workbench.invoke(function) == ("of the layer", None)


def test_processes_share_neither_variables_nor_chance(workbench: Any) -> None:
    source = """
        import os, random

        def handler(event, context):
            return [os.environ["WORD"], random.random(), os.getpid()]
    """
    functions = [workbench.function(source, Environment={"Variables": {"WORD": word}}) for word in ("one", "two")]

    (first, _), (second, _) = (workbench.invoke(function) for function in functions)

    assert (first[0], second[0]) == ("one", "two")
    assert first[1] != second[1]
    assert first[2] != second[2]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is copied")
def test_a_function_starts_although_the_process_that_is_copied_was_killed(workbench: Any) -> None:
    parent = "import os\ndef handler(event, context): return os.getppid()"
    copied, _ = workbench.invoke(workbench.function(parent))

    os.kill(copied, signal.SIGKILL)

    again, error = workbench.invoke(workbench.function(parent))
    assert error is None
    assert again != copied


def test_a_function_may_start_processes_and_hear_how_they_ended(workbench: Any) -> None:
    function = workbench.function(
        """
        import subprocess

        def handler(event, context):
            return subprocess.run(["/bin/sh", "-c", "exit 7"]).returncode
        """
    )

    assert workbench.invoke(function) == (7, None)
