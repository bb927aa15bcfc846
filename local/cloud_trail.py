"""CloudTrail's word on calls: each one that changes something is an event on the account's default bus.

Shape: "CloudTrail record contents" and "CloudTrail userIdentity element" (user guide) in the envelope of "AWS service
events delivered via CloudTrail" (EventBridge user guide). A trail always logs here, and tells at once; CloudTrail
itself needs minutes. What the server's own permission check turns away before a stand-in sees it is not told.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError

Publish = Callable[[Mapping[str, Any], str, str], object]  # (PutEvents entry, account, Region)
Record = dict[str, Any]

_LOGGER = logging.getLogger(__name__)
_ONLY_READS = re.compile(r"(List|Describe|Get|Search|Query|BatchDescribe|BatchGet|Invoke)")
_BAD_REQUEST = 400
_LOOPBACK = "127.0.0.1"
"""The server listens there alone (``local/settings.py``), so every request comes from there."""


@dataclass(frozen=True)
class ToldCall:
    """A call and what was answered."""

    service: str
    """``sagemaker`` or ``bedrock``."""
    operation: str
    parameters: Mapping[str, Any]
    status: int
    answer: bytes
    account: str
    region: str
    caller_arn: str
    user_agent: str
    at: datetime


class CloudTrail:
    """Tells of calls, in their order, in a thread of its own: nobody waits for it."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="cloud-trail")

    def tell(self, call: ToldCall) -> None:
        """Publish the event of a call, if it changes anything."""
        if not _ONLY_READS.match(call.operation):
            self._executor.submit(self._send, call)

    def flush(self) -> None:
        """Wait until everything told so far is published."""
        self._executor.submit(lambda: None).result()

    def _send(self, call: ToldCall) -> None:
        entry = {
            "Source": f"aws.{call.service}",
            "DetailType": "AWS API Call via CloudTrail",
            "Detail": record_of(call),
            "Time": call.at,
        }
        try:
            self._publish(entry, call.account, call.region)
        except (BotoCoreError, OSError, RuntimeError) as error:
            _LOGGER.warning("CloudTrail's event of %s was lost: %s", call.operation, error)


def record_of(call: ToldCall) -> Record:
    """Return CloudTrail's record of a call."""
    answer = _document(call.answer)
    failed = call.status >= _BAD_REQUEST
    record: Record = {
        "eventVersion": "1.11",
        "userIdentity": identity_of(call.caller_arn, call.account),
        "eventTime": f"{call.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": call.region,
        "sourceIPAddress": _LOOPBACK,
        "userAgent": call.user_agent,
    }
    if failed:
        record["errorCode"] = str(answer.get("__type", "")).rpartition("#")[2] or "ValidationException"
        record["errorMessage"] = str(answer.get("message", answer.get("Message", "")))
    return record | {
        "requestParameters": _spelled(call.parameters) or None,
        "responseElements": None if failed else _spelled(answer) or None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.account,
        "eventCategory": "Management",
    }


def identity_of(arn: str, account: str) -> Record:
    """Return the ``userIdentity`` of a caller's ARN: a user, a role's session, or the account's root."""
    resource = arn.rpartition(":")[2]
    kind, _, rest = resource.partition("/")
    if kind == "user":
        name = rest.rpartition("/")[2]
        return {"type": "IAMUser", "principalId": name, "arn": arn, "accountId": account, "userName": name}
    if kind != "assumed-role":
        return {"type": "Root", "principalId": account, "arn": f"arn:aws:iam::{account}:root", "accountId": account}
    role, _, session = rest.partition("/")
    path = "aws-reserved/sso.amazonaws.com/" if role.startswith("AWSReservedSSO_") else ""
    issuer = {
        "type": "Role",
        "principalId": role,
        "arn": f"arn:aws:iam::{account}:role/{path}{role}",
        "accountId": account,
        "userName": role,
    }
    return {
        "type": "AssumedRole",
        "principalId": f"{role}:{session}",
        "arn": arn,
        "accountId": account,
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}},
    }


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _spelled(value: Any) -> Any:
    """Return a document as CloudTrail spells it: members begin in lower case."""
    if isinstance(value, Mapping):
        return {_lower(key): _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return value


def _lower(name: str) -> str:
    return f"{name[:1].lower()}{name[1:]}"
