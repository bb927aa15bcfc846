"""Events of CloudTrail for tests: AWS's own record, with another caller, call, target and time."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

PAYLOADS = Path(__file__).parents[1] / "payloads" / "aws"
SAMPLE: dict[str, Any] = json.loads((PAYLOADS / "cloudtrail-sagemaker-create-endpoint.json").read_text())
IDENTITIES: dict[str, dict[str, Any]] = json.loads((PAYLOADS / "cloudtrail-user-identities.json").read_text())
ACCOUNT, REGION = "444455556666", "us-west-2"


def event_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return the event that EventBridge makes of a record."""
    return {
        "version": "0",
        "id": f"event-{record['eventID']}",
        "source": f"aws.{record['eventSource'].partition('.')[0]}",
        "detail-type": "AWS API Call via CloudTrail",
        "account": ACCOUNT,
        "region": record["awsRegion"],
        "time": record["eventTime"],
        "resources": [],
        "detail": record,
    }


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def user(name: str) -> dict[str, Any]:
    """Return the identity of a user of IAM."""
    found = dict(IDENTITIES["iam-user"]["userIdentity"])
    return {"userIdentity": found | {"arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "userName": name, "principalId": ""}}


def sso(name: str, role: str = "DataScience") -> dict[str, Any]:
    """Return the identity of a person of IAM Identity Center: a session of a reserved role."""
    reserved = f"AWSReservedSSO_{role}_0123456789abcdef"
    context = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAEXAMPLE",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/{reserved}",
            "accountId": ACCOUNT,
            "userName": reserved,
        },
        "attributes": {"mfaAuthenticated": "false"},
    }
    return {
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE:{name}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{reserved}/{name}",
            "accountId": ACCOUNT,
            "sessionContext": context,
        }
    }


def call(
    name: str,
    identity: dict[str, Any],
    at: datetime,
    request: dict[str, Any] | None = None,
    answer: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return the event of one call."""
    record = {
        **SAMPLE,
        **identity,
        "eventName": name,
        "eventID": f"{name}-{at:%H%M%S}-{identity['userIdentity'].get('userName', '')}",
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "requestParameters": request,
        "responseElements": answer,
        **changes,
    }
    return event_of(record)
