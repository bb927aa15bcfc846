"""What models answered: as their logs, captures and evaluations hold it, and samples of it."""

from __future__ import annotations

import heapq
import json
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.reviews.settings import ReviewSample
from hallmark.statistics.allocation import allocate

SHOWN_CHARACTERS = 60_000
"""A longer text is cut: an item of DynamoDB has 400 KB, a character up to four bytes, and a task has two texts."""
_CUT = " … (cut)"


class Output(BaseModel):
    """One answer of a model, with what was asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    """Unique in its source: the request's id, or dataset and case."""
    model: str
    """ARN or id of what answered, as its log says it; an endpoint's name for a capture."""
    prompt: str
    answer: str
    request_id: str = ""
    at: datetime | None = None
    labels: dict[str, str] = {}
    """What strata are made of."""


def shortened(text: str) -> str:
    """Return a text that fits into a task."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - len(_CUT)] + _CUT


# --- Bedrock's invocation log ------------------------------------------------------------------------------------


def read_invocation_logs(content: str, only: Collection[str] | None = None) -> Iterator[Output]:
    """Yield the answers of a file of Bedrock's model invocation log; what is no answer is left out.

    Records have ``schemaType`` ``ModelInvocationLog`` (Bedrock user guide, model-invocation-logging). Bodies above
    100 KB lie in objects of their own; such a record has neither text.

    Args:
        content: JSON lines.
        only: Ids of the requests that are wanted; lines of others are not even parsed.
    """
    for record in _json_lines(content, only):
        request_id, model = record.get("requestId"), record.get("modelId")
        if record.get("schemaType") == "ModelInvocationLog" and isinstance(request_id, str) and isinstance(model, str):
            yield _logged(record, request_id, model)


def _logged(record: Mapping[str, Any], request_id: str, model: str) -> Output:
    at = _instant(record.get("timestamp"))
    metadata = record.get("requestMetadata")
    labels = {"operation": str(record.get("operation", "")), "hour": _hour(at)}
    if isinstance(metadata, Mapping):
        labels |= {str(key): str(value) for key, value in metadata.items()}
    return Output(
        id=request_id,
        model=model,
        prompt=shortened(asked_text(_part(record, "input", "inputBodyJson"))),
        answer=shortened(answered_text(_part(record, "output", "outputBodyJson"))),
        request_id=request_id,
        at=at,
        labels=labels,
    )


def _part(record: Mapping[str, Any], section: str, field: str) -> Any:
    found = record.get(section)
    return found.get(field) if isinstance(found, Mapping) else None


def asked_text(body: Any) -> str:
    """Return what was asked: of a conversation the last turn's text, else the field that models take it in."""
    if isinstance(body, Mapping):
        messages = body.get("messages")
        if isinstance(messages, Sequence) and messages and isinstance(messages[-1], Mapping):
            return _content(messages[-1].get("content"))
        for field in ("prompt", "inputText", "inputs"):
            if isinstance(body.get(field), str):
                return str(body[field])
    return _plain(body)


def answered_text(body: Any) -> str:
    """Return what was answered: Converse's message, or the fields of the models' own formats."""
    if isinstance(body, Mapping):
        output = body.get("output")
        if isinstance(output, Mapping) and isinstance(output.get("message"), Mapping):
            return _content(output["message"].get("content"))
        if isinstance(body.get("content"), list):
            return _content(body["content"])
        for field in ("completion", "generation", "outputText", "generated_text"):
            if isinstance(body.get(field), str):
                return str(body[field])
        results = body.get("results") or body.get("outputs")
        if isinstance(results, list) and results and isinstance(results[0], Mapping):
            return str(results[0].get("outputText") or results[0].get("text") or _plain(results[0]))
    return _plain(body)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [str(part["text"]) for part in parts if isinstance(part, Mapping) and "text" in part]
    return "\n".join(texts) if texts else _plain(content)


def _plain(body: Any) -> str:
    if body is None:
        return ""
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


# --- SageMaker's data capture ------------------------------------------------------------------------------------


def read_captures(content: str, endpoint: str, only: Collection[str] | None = None) -> Iterator[Output]:
    """Yield the answers of a file of data capture; what is no capture is left out.

    A record is known by ``inferenceId`` where the caller gave one (InvokeEndpoint), and by ``eventId`` else (SageMaker
    developer guide, model-monitor-data-capture).

    Args:
        content: JSON lines.
        endpoint: The endpoint's name.
        only: Ids of the requests that are wanted; lines of others are not even parsed.
    """
    for record in _json_lines(content, only):
        data, about = record.get("captureData"), record.get("eventMetadata")
        if not isinstance(data, Mapping) or not isinstance(about, Mapping) or "eventId" not in about:
            continue
        request_id = str(about.get("inferenceId") or about["eventId"])
        at = _instant(about.get("inferenceTime"))
        yield Output(
            id=request_id,
            model=endpoint,
            prompt=shortened(_captured(data.get("endpointInput"))),
            answer=shortened(_captured(data.get("endpointOutput"))),
            request_id=request_id,
            at=at,
            labels={"hour": _hour(at)},
        )


def _captured(part: Any) -> str:
    if not isinstance(part, Mapping):
        return ""
    text = _plain(part.get("data"))
    if part.get("encoding") == "BASE64":
        try:
            return b64decode(text, validate=True).decode("utf-8")
        except (NotBase64, UnicodeDecodeError):
            return text
    return text


_ID = re.compile(r'"(?:requestId|inferenceId|eventId)"\s*:\s*"([^"]*)"')


_PLAIN_ID = re.compile(r"[A-Za-z0-9._:@+=, -]+")


def _json_lines(content: str, only: Collection[str] | None) -> Iterator[dict[str, Any]]:
    # JSON may spell other letters in several ways: where one of the ids has such a letter, every line is parsed.
    is_looked_at_first = only is not None and all(_PLAIN_ID.fullmatch(each) for each in only)
    for line in content.splitlines():
        if only is not None and is_looked_at_first and not any(found in only for found in _ID.findall(line)):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue  # A file may end in the middle of a record; the rest of it is worth reading.
        if isinstance(record, dict):
            yield record


def _instant(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _hour(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%H") if at is not None else ""


# --- samples ------------------------------------------------------------------------------------


class Drawn(NamedTuple):
    """An output that was drawn: its stratum, and for how many of the population it stands, on average 1."""

    output: Output
    stratum: str
    weight: float


def draw(outputs: Iterable[Output], sample: ReviewSample) -> list[Drawn]:
    """Draw a stratified sample in one pass, the same whatever the order; memory is bounded by the sample's size.

    Of each stratum the outputs with the smallest hashes of seed and id are kept (bottom-k sampling), which is a simple
    random sample without repeats. An output that comes twice counts once.

    Args:
        outputs: The population.
        sample: How many, by which label, and how they are shared out.
    """
    kept: dict[str, list[tuple[int, str, Output]]] = {}
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    for output in outputs:
        if output.id in seen:
            continue
        seen.add(output.id)
        stratum = output.labels.get(sample.by, "") if sample.by else ""
        sizes[stratum] = sizes.get(stratum, 0) + 1
        place = -int.from_bytes(sha256(f"{sample.seed}\n{output.id}".encode()).digest()[:8], "big")
        heap = kept.setdefault(stratum, [])
        if len(heap) < sample.size:
            heapq.heappush(heap, (place, output.id, output))
        else:
            heapq.heappushpop(heap, (place, output.id, output))
    counts = allocate(sizes, sample.size, sample.allocation, {})
    total, wanted = sum(sizes.values()), sum(counts.values())
    drawn: list[Drawn] = []
    for stratum in sorted(kept):
        if counts[stratum]:
            weight = (sizes[stratum] / total) / (counts[stratum] / wanted)
            ordered = sorted(kept[stratum], key=lambda item: (-item[0], item[1]))
            drawn += [Drawn(output, stratum, weight) for _, _, output in ordered[: counts[stratum]]]
    return drawn
