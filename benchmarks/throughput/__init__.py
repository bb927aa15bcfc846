"""Events per second from the default bus through SQS and Lambda into the graph, on the deployed app.

The peer is a bare way of the same events in the same cloud and run: rule, queue, and a function that puts each event
into a table of its own as it is.
"""

from __future__ import annotations

import copy
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.cloud import LocalCloud
from local.deployment import LOCAL_CONTEXT, CloudAddress, deploy
from local.settings import CloudSettings

ROOT = Path(__file__).parents[2]
PAYLOAD = ROOT / "tests" / "payloads" / "aws" / "sm-training-job-state-change.json"
EVENTS = 300
_SECONDS = 120.0
_BARE = """
import json, os, boto3
table = boto3.client("dynamodb")
def handler(event, context):
    for record in event["Records"]:
        body = json.loads(record["body"])
        table.put_item(TableName=os.environ["TABLE"], Item={"pk": {"S": body["id"]}, "body": {"S": record["body"]}})
"""


def run() -> Iterator[dict[str, Any]]:
    """Deploy, send events of as many training jobs, and wait until the last one is in the graph."""
    with LocalCloud(CloudSettings()) as cloud:
        address = CloudAddress(cloud.endpoint, cloud.account, cloud.region, cloud.child_environment())
        outputs = deploy(ROOT, address, echo=lambda _line: None, context={**LOCAL_CONTEXT}).outputs["HallmarkLineage"]
        bare_table = _deploy_bare(cloud)
        # The first events of each way pay for the start of the functions.
        _seconds(cloud, "warm", 20, bare_table, "pk")
        bare = _seconds(cloud, "bare", EVENTS, bare_table, "pk", source="bench.bare")
        ours = _seconds(cloud, "ours", EVENTS, outputs["LineageTableName"], "FACT")
    rate, peer = EVENTS / ours, EVENTS / bare
    yield {
        "area": "lineage",
        "name": "events per second, bus to graph, deployed app on the local cloud",
        "ours": round(rate, 1),
        "peer": round(peer, 1),
        "unit": "events/s (peer: bare json.loads + put_item behind the same queue)",
        "ratio": round(rate / peer, 3),
        "goal": None,
        "met": None,
    }


def _deploy_bare(cloud: LocalCloud) -> str:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", _BARE)
    dynamodb, sqs, iam, functions = (cloud.client(name) for name in ("dynamodb", "sqs", "iam", "lambda"))
    dynamodb.create_table(
        TableName="bare",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    url = sqs.create_queue(QueueName="bare")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [everyone]})}
    )
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="bare", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": ["dynamodb:*", "sqs:*", "logs:*"], "Resource": "*"}
    iam.put_role_policy(
        RoleName="bare", PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    )
    functions.create_function(
        FunctionName="bare",
        Runtime="python3.13",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"TABLE": "bare"}},
        Timeout=60,
    )
    functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="bare", BatchSize=10)
    events = cloud.client("events")
    events.put_rule(Name="bare", EventPattern=json.dumps({"account": [cloud.account], "detail-type": [_DETAIL_TYPE]}))
    events.put_targets(Rule="bare", Targets=[{"Id": "queue", "Arn": arn}])
    return "bare"


_DETAIL_TYPE = "Bare Training Job State Change"


def _seconds(
    cloud: LocalCloud, run_name: str, count: int, table: str, marker: str, *, source: str | None = None
) -> float:
    """Send ``count`` events and return the seconds until as many new items stand in the table."""
    sent = []
    template = json.loads(PAYLOAD.read_text())
    for number in range(count):
        event = copy.deepcopy(template)
        name = f"{run_name}-{number:04}"
        event["id"] = name
        event["resources"] = [f"arn:aws:sagemaker:us-east-1:111122223333:training-job/{name}"]
        event["detail"] |= {"TrainingJobArn": event["resources"][0], "TrainingJobStatus": "InProgress"}
        if source is not None or run_name == "warm":
            event["detail-type"] = _DETAIL_TYPE
        sent.append(event)
        if run_name == "warm":
            sent.append({**event, "detail-type": template["detail-type"]})
    before = _count(cloud, table, marker)
    begun = time.monotonic()
    cloud.emit(sent)
    while _count(cloud, table, marker) < before + count:
        if time.monotonic() - begun > _SECONDS:
            raise RuntimeError(f"{run_name}: not all of {count} events arrived within {_SECONDS:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - begun


def _count(cloud: LocalCloud, table: str, marker: str) -> int:
    client = cloud.client("dynamodb")
    if marker == "pk":
        return int(client.scan(TableName=table, Select="COUNT")["Count"])
    names = {f"LOG#{shard}" for shard in range(4)}
    return sum(
        int(
            client.query(
                TableName=table,
                IndexName="log",
                Select="COUNT",
                KeyConditionExpression="log_shard = :shard",
                ExpressionAttributeValues={":shard": {"S": name}},
            )["Count"]
        )
        for name in names
    )
