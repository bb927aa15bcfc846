"""Lineage of other tools, deployed: OpenLineage's own client in, joined by content, and run events out."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.transport.http import HttpConfig, HttpTransport

from hallmark.aws.signed_posts import SignedPosts
from hallmark.cli.forwarding import Forwarder


@pytest.fixture(scope="module")
def proxy(deployed: Any) -> Iterator[str]:
    """``hallmark openlineage proxy`` with the credentials of the account's root."""
    keys = deployed.cloud.environment()
    credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    url = deployed.outputs["LineageIntakeUrl"]
    posts = SignedPosts(url, credentials, deployed.cloud.region, deployed.cloud.endpoint)
    forwarder = Forwarder(("127.0.0.1", 0), posts.post, lambda _: None)
    threading.Thread(target=forwarder.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{forwarder.server_address[1]}"
    forwarder.shutdown()
    forwarder.server_close()


def upstream(deployed: Any, node: str, wanted: set[str]) -> set[str]:
    """Return what a node came from, as soon as that is all that is wanted."""

    def look() -> set[str] | None:
        answer = deployed.ask("trace", node=node, direction="up")
        found = {each["key"] for each in answer.get("nodes", ())}
        return found if found >= wanted else None

    return set(deployed.eventually(look))


def test_what_the_real_client_tells_joins_another_tool_by_content_and_is_told_to_others(
    deployed: Any, proxy: str
) -> None:
    bucket = f"sagemaker-{deployed.cloud.region}-{deployed.cloud.account}"
    name = f"foreign-{uuid.uuid4().hex[:8]}"
    run, fired = str(uuid.uuid4()), f"kiln:{name}"
    with suppress(ClientError):  # the example makes it, too
        deployed.client("s3").create_bucket(Bucket=bucket)
    for place in ("written", "copied"):
        deployed.client("s3").put_object(Bucket=bucket, Key=f"{name}/{place}/a.csv", Body=name.encode())
    client = OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict({"url": proxy, "compression": "gzip"})))
    for state, data in (
        (RunState.START, {"inputs": [InputDataset("hdfs://namenode:8020", f"/{name}/raw/dt=2026-11-29")]}),
        (RunState.COMPLETE, {"outputs": [OutputDataset(f"s3a://{bucket}", f"{name}/written/")]}),
    ):
        client.emit(
            RunEvent(
                eventTime=datetime.now(UTC).isoformat(),
                eventType=state,
                producer="https://example.com/orchestrator",
                run=Run(run),
                job=Job("airflow", name),
                **data,
            )
        )
    fact = {
        "tool": "kiln",
        "node": {"kind": "run", "id": fired},
        "at": datetime.now(UTC).isoformat(),
        "status": "Completed",
        "flows": [{"node": {"kind": "dataset", "id": f"s3://{bucket}/{name}/copied"}, "role": "clay"}],
    }
    cloud_event: Any = {"specversion": "1.0", "id": "1", "source": "/kiln", "type": "kiln.fired", "data": fact}
    answer = requests.post(f"{proxy}/api/v1/lineage", json=cloud_event, timeout=30)
    assert (answer.status_code, answer.json()["nodes"]) == (201, [fired])

    wanted = {f"openlineage:{run}", f"hdfs://namenode/{name}/raw"}
    assert upstream(deployed, fired, wanted) >= wanted
    shown = deployed.ask("show", node=f"openlineage:{run}")
    assert shown["attributes"]["reported_by"].startswith("arn:aws:")
    assert shown["node"]["status"] == "Completed"

    def told() -> list[dict[str, Any]]:
        return [event for event in deployed.told if event["job"]["name"].endswith(name)]

    (event,) = deployed.eventually(told)
    assert (event["eventType"], event["run"]["facets"]["hallmark_run"]["key"]) == ("COMPLETE", fired)
    assert event["inputs"][0]["namespace"] == f"s3://{bucket}"


def test_a_request_that_cannot_be_taken_is_answered_by_field_and_one_that_nobody_signed_not_at_all(
    deployed: Any, proxy: str
) -> None:
    answer = requests.post(f"{proxy}/api/v1/lineage", json={"eventTime": "2026-11-29T10:00:00Z"}, timeout=30)
    assert (answer.status_code, answer.json()["field"]) == (400, "run")
    host = urlsplit(deployed.outputs["ApiUrl"]).netloc
    unsigned = requests.post(
        f"{deployed.cloud.endpoint}/api/v1/lineage", data=json.dumps({}), headers={"Host": host}, timeout=30
    )
    assert unsigned.status_code == 403


def test_a_message_of_the_queue_that_can_never_be_taken_is_a_dead_letter_with_the_reason(deployed: Any) -> None:
    deployed.client("sqs").send_message(QueueUrl=deployed.outputs["LineageIntakeQueueUrl"], MessageBody='{"run": {}}')

    (letter,) = deployed.eventually(lambda: deployed.dead_letters("Intake"))
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"].startswith("eventTime is None")
