"""Who calls: a signature that only they can make, for this message and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from hallmark.aws import caller_proof
from hallmark.aws.caller_proof import prove_caller, verify_caller
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.people import Person

ACCOUNT = "111122223333"
KIM = f"arn:aws:iam::{ACCOUNT}:user/kim"
MESSAGE = {"ask": "decide", "approval": "ap-1", "decision": "approved", "reason": "fine"}
CREDENTIALS = Credentials("AKIDKIM", "a secret", "a token")
ANSWER = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>{KIM}</Arn><UserId>AIDAKIM</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


class Sts:
    """Checks signatures as AWS does: it signs the same request itself, and compares."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[AWSPreparedRequest] = []

    def send(self, request: AWSPreparedRequest) -> Any:
        self.asked.append(request)
        given = {name.lower(): _text(value) for name, value in request.headers.items()}
        signed = given["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        again = AWSRequest(
            "POST",
            request.url,
            data=body,
            headers={name: given[name] for name in signed if name in given and name not in _ADDED},
        )
        again.context["timestamp"] = given["x-amz-date"]
        signer = SigV4Auth(CREDENTIALS, "sts", "eu-central-1")
        again.headers["X-Amz-Date"] = given["x-amz-date"]
        again.headers["X-Amz-Security-Token"] = "a token"
        signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
        is_right = given["authorization"].endswith(f"Signature={signature}")
        return _answer(self.status if is_right or self.status != 200 else 403)


_ADDED = {"host", "x-amz-date", "x-amz-security-token"}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _answer(status: int) -> AWSResponse:
    class Raw:
        def stream(self, **_how: Any) -> Iterator[bytes]:
            yield ANSWER.encode()

    return AWSResponse("https://sts", status, HTTPHeaders(), Raw())


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Sts:
    service = Sts()
    answering = service.send
    monkeypatch.setattr(URLLib3Session, "send", lambda _session, request: answering(request))
    return service


@pytest.fixture
def client() -> Any:
    return botocore.session.get_session().create_client(
        "sts", region_name="eu-central-1", aws_access_key_id="function", aws_secret_access_key="its own"
    )


def test_whoever_signed_a_message_is_its_caller(sts: Sts, client: Any) -> None:
    proof = prove_caller(MESSAGE, client, CREDENTIALS)

    assert verify_caller(MESSAGE, proof, client, ACCOUNT) == Person(arn=KIM, principal="AIDAKIM")
    assert sts.asked[0].url == "https://sts.eu-central-1.amazonaws.com/"
    assert "secret" not in str(proof)


def test_a_signature_is_good_for_one_message_only(sts: Sts, client: Any) -> None:
    proof = prove_caller(MESSAGE, client, CREDENTIALS)

    with pytest.raises(InvalidInputError, match="STS does not accept it"):
        verify_caller({**MESSAGE, "approval": "ap-2"}, proof, client, ACCOUNT)


def test_a_signature_of_a_plain_question_to_sts_proves_nothing(sts: Sts, client: Any) -> None:
    request = AWSRequest("POST", "https://sts.eu-central-1.amazonaws.com/", data=caller_proof._QUESTION)
    SigV4Auth(CREDENTIALS, "sts", "eu-central-1").add_auth(request)

    with pytest.raises(InvalidInputError, match="must sign the message"):
        verify_caller(MESSAGE, dict(request.headers.items()), client, ACCOUNT)
    assert sts.asked == []


@pytest.mark.parametrize("proof", [None, "a name", {}, {"authorization": "x"}, {"arn": KIM}])
def test_a_name_is_no_proof(sts: Sts, client: Any, proof: object) -> None:
    with pytest.raises(InvalidInputError, match="proof"):
        verify_caller(MESSAGE, proof, client, ACCOUNT)
    assert sts.asked == []


def test_people_of_other_accounts_may_not_decide_here(sts: Sts, client: Any) -> None:
    proof = prove_caller(MESSAGE, client, CREDENTIALS)

    with pytest.raises(InvalidInputError, match="only people of account 999999999999"):
        verify_caller(MESSAGE, proof, client, "999999999999")


def test_where_sts_is_down_the_caller_is_not_known_yet(sts: Sts, client: Any) -> None:
    proof = prove_caller(MESSAGE, client, CREDENTIALS)
    sts.status = 503

    with pytest.raises(UnavailableError, match="it answers 503"):
        verify_caller(MESSAGE, proof, client, ACCOUNT)
