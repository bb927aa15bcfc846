"""What comes in over HTTP, from a queue or in a call becomes reports on the bus: all of a request, or nothing of it."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.events.reports import LineageReported
from hallmark.lineage.intake import cloudevents, facts, openlineage
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.intake.openlineage import Translation

EVENT_BYTES = 1_000_000
"""Of one event. Those of Spark are a few hundred KB at most, and their largest part is the plan of the query."""
REQUEST_BYTES = 4_000_000
"""Of one request, unpacked: Lambda takes 6 MB, the text of the body escaped (Lambda quotas)."""
EVENTS = 1_000
"""In one request."""


_LOOKED_AT = 100
"""Inputs of one request about which the table is asked: it takes a few milliseconds each."""


class ReportBus(Protocol):
    """Where reports go."""

    def publish(self, reports: Sequence[LineageReported]) -> None:
        """Publish all of them.

        Raises:
            UnavailableError: Some were not taken now; the same may be published again.
        """
        ...


class KnownData(Protocol):
    """Whether lineage knows a place already."""

    def is_known(self, place: str, besides: str) -> bool:
        """Tell whether anything but one run tells of a place."""
        ...


class Received(NamedTuple):
    """What became of a request."""

    events: int
    ignored: int
    """Hallmark's own, come back."""
    nodes: tuple[str, ...]
    unmatched: tuple[str, ...]
    """Inputs of runs that have ended which nothing else in lineage tells of."""


@dataclass(frozen=True)
class Intake:
    """Takes what other tools send.

    Args:
        names: The canonical names of datasets.
        bus: Where the reports go.
        known: What lineage knows.
        clock: The time.
        sources: Beginnings of names of data that nothing need have written.
    """

    names: Names
    bus: ReportBus
    known: KnownData
    clock: Callable[[], datetime]
    sources: tuple[str, ...] = ()

    def receive(self, document: Any, by: str | None = None) -> Received:
        """Take one event, or a list of them: OpenLineage events, facts, CloudEvents that carry either.

        Raises:
            InvalidInputError: One of them can never be taken; nothing is then.
            UnavailableError: The bus or the table did not answer; the same may be sent again.
        """
        listed = isinstance(document, list)
        documents = document if isinstance(document, list) else [document]
        if not documents or len(documents) > EVENTS:
            raise InvalidInputError("the events", f"{len(documents)} events", f"send 1 to {EVENTS:,} in one request")
        told: list[Translation] = []
        ignored = 0
        for number, each in enumerate(documents):
            place = f"[{number}]" if listed else ""
            event = cloudevents.data_of(each, place) if _is_cloud_event(each) else each
            _check_size(event, place)
            if isinstance(event, Mapping) and openlineage.is_own(event):
                ignored += 1
                continue
            read = facts.read_fact if isinstance(event, Mapping) and facts.is_fact(event) else openlineage.translate
            told.append(read(event, self.names, now=self.clock(), reported_by=by, place=place))
        reports = [report for translation in told for report in translation.reports]
        unmatched = self._unmatched(told)
        self.bus.publish(reports)
        nodes = dict.fromkeys(report.lineage.node.id for report in reports)
        return Received(len(documents), ignored, tuple(nodes), tuple(dict.fromkeys(unmatched)))

    def _unmatched(self, told: Sequence[Translation]) -> list[str]:
        """Return the inputs that nothing else tells of; of very many, the first are looked at."""
        reads = dict.fromkeys(
            (place, translation.reports[-1].lineage.node.id)
            for translation in told
            for place in translation.inputs
            if not place.startswith(self.sources or ("\0",))
        )
        looked_at = list(reads)[:_LOOKED_AT]
        return [place for place, run in looked_at if not self.known.is_known(place, run)]


def answer_request(event: Mapping[str, Any], receive: Callable[[Any, str | None], Received]) -> dict[str, Any]:
    """Answer a request of the HTTP API (payload format 2.0).

    201: taken. 400: never acceptable, with field, value and remedy. 403: nobody signed it. 413: too large. 503: send it
    again.
    """
    caller = _caller_of(event)
    if not caller:
        return _response(
            HTTPStatus.FORBIDDEN,
            {"message": "sign the request (SigV4), or send it through `hallmark openlineage proxy`"},
        )
    try:
        headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        if cloudevents.is_binary(headers):
            cloudevents.check_binary(headers)
        taken = receive(read_document(_body_of(event, headers)), caller)
    except TooLargeError as error:
        return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error)
    except InvalidInputError as error:
        return _refusal(HTTPStatus.BAD_REQUEST, error)
    except UnavailableError:
        return _response(HTTPStatus.SERVICE_UNAVAILABLE, {"message": "it could not be kept now: send it again"})
    return _response(HTTPStatus.CREATED, describe(taken))


def describe(taken: Received) -> dict[str, Any]:
    """Return what a sender is told."""
    return {
        "events": taken.events,
        "ignored": taken.ignored,
        "nodes": list(taken.nodes[:_LISTED]),
        "unmatchedInputs": list(taken.unmatched[:_LISTED]),
    }


_LISTED = 100


class TooLargeError(InvalidInputError):
    """More bytes than are taken."""


def read_document(body: bytes | str) -> Any:
    """Read the JSON of a request, or of a message.

    Raises:
        InvalidInputError: It is none.
        TooLargeError: It is too large.
    """
    size = len(body.encode() if isinstance(body, str) else body)
    if size > REQUEST_BYTES:
        raise TooLargeError(
            "the body", f"{size:,} bytes", f"a request has {REQUEST_BYTES:,} bytes at most: send fewer events at a time"
        )
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False).encode()
    except (RecursionError, ValueError) as error:
        shown = body if isinstance(body, str) else body.decode(errors="replace")
        raise InvalidInputError("the body", shown, f"send JSON in UTF-8 ({error})") from None
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check_size(event: Any, place: str) -> None:
    size = len(json.dumps(event, ensure_ascii=False).encode())
    if size > EVENT_BYTES:
        remedy = f"an event has {EVENT_BYTES:,} bytes at most: leave out its largest facets, or tell the run in parts"
        raise TooLargeError(place or "the event", f"{size:,} bytes", remedy)


def _is_cloud_event(document: Any) -> bool:
    return isinstance(document, Mapping) and "specversion" in document


def _body_of(event: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    text = str(event.get("body") or "")
    try:
        body = b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
        return _unpacked(body) if headers.get("content-encoding", "").strip().lower() == "gzip" else body
    except (NotBase64, OSError, EOFError, zlib.error, ValueError):
        raise InvalidInputError(
            "the body", text, "send JSON in UTF-8, packed by gzip if Content-Encoding says so"
        ) from None


def _unpacked(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    unpacked = unpacking.decompress(body, REQUEST_BYTES + 1)
    if not unpacking.eof and len(unpacked) <= REQUEST_BYTES:
        raise gzip.BadGzipFile("it ends too early")
    return unpacked


def _caller_of(event: Mapping[str, Any]) -> str:
    """Return the ARN of whom IAM authorised: of a role, not of its session, so that a repeat is the same fact."""
    context = event.get("requestContext")
    authorizer = context.get("authorizer") if isinstance(context, Mapping) else None
    iam = authorizer.get("iam") if isinstance(authorizer, Mapping) else None
    arn = str(iam.get("userArn") or "")[:2000] if isinstance(iam, Mapping) else ""
    return _SESSION.sub(r"\1", arn)


_SESSION = re.compile(r"^(arn:[^:]+:sts::\d+:assumed-role/[^/]+)/.*$")


def _refusal(status: HTTPStatus, error: InvalidInputError) -> dict[str, Any]:
    text = str(error.value)
    value = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return _response(status, {"message": str(error), "field": error.field, "value": value, "remedy": error.remedy})


_SHOWN = 200


def _response(status: HTTPStatus, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, ensure_ascii=False),
    }
