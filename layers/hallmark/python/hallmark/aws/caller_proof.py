"""Who calls, as STS itself says it: the caller signs a question to STS, and the function asks it with that signature.

Whoever may invoke a function could write any name into its input; a signature of theirs they can only make as
themselves. It is bound to one message by a signed header, so that it proves nothing about any other message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.parsers import create_parser

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.people import Person

_QUESTION = b"Action=GetCallerIdentity&Version=2011-06-15"
_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
_BINDING = "x-hallmark-message"
_SIGNED = ("authorization", "x-amz-date", "x-amz-security-token")
_TIMEOUT_SECONDS = 10
_OK = 200
_SERVER_FAULTS_FROM = 500


def prove_caller(message: Mapping[str, Any], client: Any, credentials: Any) -> dict[str, str]:
    """Return the signed headers that prove who sends a message; they are good for 15 minutes (STS).

    Args:
        message: What is sent.
        client: Of STS in the Region of the function.
        credentials: The caller's, from the session of botocore.
    """
    headers = {"Content-Type": _TYPE, _BINDING: _digest(message)}
    request = AWSRequest("POST", f"{client.meta.endpoint_url}/", data=_QUESTION, headers=headers)
    SigV4Auth(credentials, "sts", client.meta.region_name).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items() if name.lower() in _SIGNED}


def verify_caller(message: Mapping[str, Any], proof: object, client: Any, account: str) -> Person:
    """Return who signed a message.

    Args:
        message: What was received.
        proof: The headers that came with it.
        client: Of STS, this function's own: no address of the sender's is ever asked.
        account: The account whose people may speak here.

    Raises:
        InvalidInputError: The proof is none, is old, or is of somebody else's account.
        UnavailableError: STS did not answer.
    """
    headers = _headers_of(proof)
    if _BINDING not in _signed_names(headers["authorization"]):
        raise InvalidInputError("proof", "a signature", "it must sign the message: use the command line")
    request = AWSRequest(
        "POST",
        f"{client.meta.endpoint_url}/",
        data=_QUESTION,
        headers={**headers, "Content-Type": _TYPE, _BINDING: _digest(message)},
    )
    try:
        answer = URLLib3Session(timeout=_TIMEOUT_SECONDS).send(request.prepare())
    except BotoCoreError as error:
        raise UnavailableError(f"asking STS who calls: {error}") from error
    if answer.status_code >= _SERVER_FAULTS_FROM:
        raise UnavailableError(f"asking STS who calls: it answers {answer.status_code}")
    if answer.status_code != _OK:
        raise InvalidInputError("proof", "a signature", "STS does not accept it: send the message again")
    told = _parsed(answer, client)
    if told["Account"] != account:
        raise InvalidInputError("the caller", told["Arn"], f"only people of account {account} may decide here")
    return Person(arn=told["Arn"], principal=told["UserId"])


def _parsed(answer: Any, client: Any) -> dict[str, str]:
    model = client.meta.service_model
    shape = model.operation_model("GetCallerIdentity").output_shape
    parts = {"body": answer.content, "headers": answer.headers, "status_code": answer.status_code}
    found: dict[str, str] = create_parser("query").parse(parts, shape)
    return found


def _headers_of(proof: object) -> dict[str, str]:
    if not isinstance(proof, Mapping):
        raise InvalidInputError("proof", None, "sign the message: use the command line")
    found = {str(name).lower(): str(value) for name, value in proof.items()}
    if "authorization" not in found or "x-amz-date" not in found:
        raise InvalidInputError("proof", sorted(found), "it lacks authorization or x-amz-date: use the command line")
    return {name: found[name] for name in _SIGNED if name in found}


def _signed_names(authorization: str) -> list[str]:
    _, _, rest = authorization.partition("SignedHeaders=")
    return rest.partition(",")[0].split(";")


def _digest(message: Mapping[str, Any]) -> str:
    return sha256(json.dumps(message, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
