"""The HTTP API on loopback as API Gateway would serve it: signatures checked, requests in payload format 2.0."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from hallmark.aws.signed_posts import SERVICE, SignedPosts
from hallmark.cli.forwarding import Forwarder
from hallmark.lineage.intake.receiving import answer_request
from tests.fakes.foreign_lineage import ForeignLineage

CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token")
REGION = "eu-west-1"
CALLER = "arn:aws:sts::111122223333:assumed-role/Airflow/i-0abc"


def is_signed(path: str, headers: dict[str, str], body: bytes) -> bool:
    """Tell whether a request has the signature that its credentials make (botocore's own arithmetic)."""
    given = headers.get("authorization", "")
    if "SignedHeaders=" not in given:
        return False
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signed = {name: headers[name] for name in names if name != "host"}
    request = AWSRequest("POST", f"http://{headers['host']}{path}", data=body, headers=signed)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(CREDENTIALS, SERVICE, REGION)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return given.endswith(f"Signature={signature}")


class Api:
    """API Gateway with one signed route."""

    def __init__(self, lineage: ForeignLineage) -> None:
        self.lineage = lineage
        self.requests: list[dict[str, Any]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                answer = api.answer(self.path, headers, body)
                text = answer["body"].encode()
                self.send_response(answer["statusCode"])
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/v1/lineage"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        if path != "/api/v1/lineage" or not is_signed(path, headers, body):
            return {"statusCode": 403, "body": json.dumps({"message": "Forbidden"})}
        event = http_request(body, headers)
        self.requests.append(event)
        return answer_request(event, self.lineage.intake.receive)


def http_request(
    body: bytes | str, headers: dict[str, str] | None = None, caller: str | None = CALLER
) -> dict[str, Any]:
    """Return a request as an HTTP API hands it to Lambda (API Gateway developer guide, payload format 2.0)."""
    raw = body.encode() if isinstance(body, str) else body
    packed = (headers or {}).get("content-encoding") == "gzip"
    return {
        "version": "2.0",
        "routeKey": "POST /api/v1/lineage",
        "rawPath": "/api/v1/lineage",
        "headers": headers or {"content-type": "application/json"},
        "requestContext": {"authorizer": {"iam": {"userArn": caller}}} if caller else {},
        "body": base64.b64encode(raw).decode() if packed else raw.decode(),
        "isBase64Encoded": packed,
    }


@pytest.fixture
def lineage() -> ForeignLineage:
    return ForeignLineage()


@pytest.fixture
def api(lineage: ForeignLineage) -> Iterator[Api]:
    served = Api(lineage)
    threading.Thread(target=served.server.serve_forever, daemon=True).start()
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.fixture
def proxy(api: Api) -> Iterator[str]:
    """``hallmark openlineage proxy``; return its address."""
    posts = SignedPosts(api.url, CREDENTIALS, REGION)
    forwarder = Forwarder(("127.0.0.1", 0), posts.post, lambda _: None)
    threading.Thread(target=forwarder.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{forwarder.server_address[1]}"
    forwarder.shutdown()
    forwarder.server_close()
