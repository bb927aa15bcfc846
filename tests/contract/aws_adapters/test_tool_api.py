"""HTTP APIs of other tools, as a server on loopback answers: what it may answer, and what is made of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hallmark.aws.tool_api import HttpToolApi, authorization
from hallmark.errors import HallmarkError, InvalidInputError, NotFoundError, UnavailableError


class Answers:
    """A server that answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status, self.body = 200, b"{}"
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                answers.asked.append((self.command, self.path, headers, self.rfile.read(length)))
                self.send_response(answers.status)
                if answers.status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(answers.body)))
                self.end_headers()
                self.wfile.write(answers.body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def answers() -> Iterator[Answers]:
    found = Answers()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_question_carries_the_token_and_its_query(answers: Answers) -> None:
    answers.body = b'{"runs": [], "value": NaN}'
    api = HttpToolApi(f"{answers.url}/", "Bearer secret", requests_per_second=1_000)

    assert api.get("/api/x", {"name": "a b", "max": 2}) == {"runs": [], "value": "NaN"}
    assert api.post("/api/y", {"ids": ["1"]}) == {"runs": [], "value": "NaN"}
    (get, post) = answers.asked
    assert get[:2] == ("GET", "/api/x?name=a+b&max=2")
    assert get[2]["authorization"] == "Bearer secret"
    assert (post[0], json.loads(post[3])) == ("POST", {"ids": ["1"]})


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}', NotFoundError),
        (404, b"<html>no such page", InvalidInputError),
        (401, b"{}", InvalidInputError),
        (403, b"{}", InvalidInputError),
        (400, b"{}", InvalidInputError),
        (302, b"{}", InvalidInputError),
        (200, b"<html>sign in", InvalidInputError),
        (200, b"[]", InvalidInputError),
        (429, b"{}", UnavailableError),
        (500, b"{}", UnavailableError),
        (503, b"busy", UnavailableError),
    ],
)
def test_an_answer_that_is_none_is_told_by_what_can_be_done(
    answers: Answers, status: int, body: bytes, error: type[HallmarkError]
) -> None:
    answers.status, answers.body = status, body

    with pytest.raises(error) as raised:
        HttpToolApi(answers.url, "Bearer secret").get("/api/x", {"token": "hidden"})

    assert type(raised.value) is error
    assert "127.0.0.1" in str(raised.value)
    assert "secret" not in str(raised.value).replace("the secret that", "")
    assert "hidden" not in str(raised.value)


def test_questions_keep_to_their_pace(answers: Answers) -> None:
    now, waits = [0.0], []

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))
        now[0] += seconds

    api = HttpToolApi(answers.url, requests_per_second=4, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        api.get("/x")
    now[0] += 10
    api.get("/x")

    assert waits == [0.25, 0.25]


@pytest.mark.parametrize(
    ("secret", "header"),
    [
        ("", ""),
        ("abc\n", "Bearer abc"),
        ('{"token": "abc", "webhook_secret": "x"}', "Bearer abc"),
        ('{"username": "ada", "password": "p:w"}', "Basic YWRhOnA6dw=="),
        ('{"webhook_secret": "x"}', ""),
    ],
)
def test_a_secret_is_a_token_or_a_login(secret: str, header: str) -> None:
    assert authorization(secret) == header


@pytest.mark.parametrize("secret", ['{"token": ', '{"token": 7}'])
def test_a_secret_that_cannot_be_read_is_not_shown(secret: str) -> None:
    with pytest.raises(InvalidInputError, match="hidden"):
        authorization(secret)
