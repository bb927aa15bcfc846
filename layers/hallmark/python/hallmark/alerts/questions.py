"""What can be asked of alerts, and what people can do about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.alerts.conditions import AlertRecord, alert_of, stand
from hallmark.alerts.engine import Engine
from hallmark.alerts.inhibition import is_inhibited
from hallmark.alerts.kinds import tuning_of
from hallmark.alerts.matching import Matchers, fits
from hallmark.alerts.remediation import advised
from hallmark.alerts.routing import Routes
from hallmark.alerts.silences import make_silence, silencing
from hallmark.durations import Duration
from hallmark.errors import InvalidInputError, NotFoundError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class OpenAlertsQuestion(_Frozen):
    """The alerts that fire, those that began last first."""

    ask: Literal["open"] = "open"
    match: Matchers = {}
    limit: int = Field(default=100, ge=1, le=1000)


class AlertQuestion(_Frozen):
    """One alert: its numbers, what depends on it, what changed, what to do."""

    ask: Literal["alert"] = "alert"
    alert: str


class SilencesQuestion(_Frozen):
    """The silences that hold, or will; also those that have ended."""

    ask: Literal["silences"] = "silences"
    ended: bool = False


class AcknowledgeRequest(_Frozen):
    """Somebody has an alert, or all that fire in a group."""

    ask: Literal["acknowledge"] = "acknowledge"
    target: str
    reason: str = ""


class SilenceRequest(_Frozen):
    """Nobody is to be told of some alerts for a while."""

    ask: Literal["silence"] = "silence"
    match: Matchers
    length: Duration
    reason: str


class UnsilenceRequest(_Frozen):
    """A silence is to end now."""

    ask: Literal["unsilence"] = "unsilence"
    silence: str


Question = Annotated[OpenAlertsQuestion | AlertQuestion | SilencesQuestion, Field(discriminator="ask")]
Request = Annotated[AcknowledgeRequest | SilenceRequest | UnsilenceRequest, Field(discriminator="ask")]

_QUESTIONS: TypeAdapter[Question] = TypeAdapter(Question, config=ConfigDict(defer_build=True))
_REQUESTS: TypeAdapter[Request] = TypeAdapter(Request, config=ConfigDict(defer_build=True))


def read_question(raw: object) -> Question:
    """Read a question.

    Raises:
        InvalidInputError: It is none.
    """
    question: Question = _read(_QUESTIONS, raw)
    return question


def read_request(raw: object) -> Request:
    """Read a request.

    Raises:
        InvalidInputError: It is none.
    """
    request: Request = _read(_REQUESTS, raw)
    return request


def _read(adapter: TypeAdapter[Any], raw: object) -> Any:
    try:
        return adapter.validate_python(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"]) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"].removeprefix("Value error, ")) from None


@dataclass(frozen=True)
class AlertDesk:
    """Answers questions and does what is asked."""

    engine: Engine
    clock: Callable[[], datetime]

    def answer(self, question: Question) -> dict[str, Any]:
        """Answer a question.

        Raises:
            NotFoundError: There is no such alert.
        """
        if isinstance(question, OpenAlertsQuestion):
            return self._open(question)
        if isinstance(question, SilencesQuestion):
            now = self.clock()
            found = [each for each in self.engine.store.silences() if question.ended or each.ends_at > now]
            return {
                "silences": [
                    {**each.model_dump(mode="json"), "active": each.is_active(now)}
                    for each in sorted(found, key=lambda each: each.ends_at)
                ]
            }
        fingerprint = question.alert.removeprefix("hallmark:alert/").partition("@")[0]
        found_record = self.engine.store.records([fingerprint]).get(fingerprint)
        if found_record is None:
            raise NotFoundError(f"there is no alert {question.alert}: `hallmark alerts` lists those that fire")
        shown = self._shown([found_record.value])
        if not shown:
            raise NotFoundError(f"the alert {question.alert} has never fired: nothing bad was seen of it")
        return shown[0]

    def act(self, request: Request, by: str) -> dict[str, Any]:
        """Do what is asked.

        Args:
            request: What.
            by: Who asks, as whoever calls has made sure of.

        Raises:
            InvalidInputError: It cannot be done as asked.
            NotFoundError: There is no such alert, group or silence.
        """
        now, store = self.clock(), self.engine.store
        if isinstance(request, AcknowledgeRequest):
            noted = self.engine.acknowledge(request.target, by, request.reason, now)
            return {"acknowledged": self._shown(noted)}
        if isinstance(request, SilenceRequest):
            silence = make_silence(request.match, by, request.reason, now, request.length)
            store.save_silence(silence)
            return silence.model_dump(mode="json")
        known = next((each for each in store.silences() if each.id == request.silence), None)
        if known is None:
            raise NotFoundError(f"there is no silence {request.silence}: `hallmark alerts silences` lists them")
        ended = known if known.ends_at <= now else known.model_copy(update={"ends_at": now})
        store.save_silence(ended)
        return ended.model_dump(mode="json")

    def _open(self, question: OpenAlertsQuestion) -> dict[str, Any]:
        records = self.engine.store.open_records(question.limit)
        shown = self._shown([record for record in records if fits(question.match, record.matched())])
        return {"alerts": [each for each in shown if each["status"] == "firing"], "limit": question.limit}

    def _shown(self, records: list[AlertRecord]) -> list[dict[str, Any]]:
        now, policy = self.clock(), self.engine.policy
        silences, routes = self.engine.store.silences(), Routes(policy)
        inhibitors = self.engine.store.inhibitors() if policy.inhibition else ()
        shown = []
        for record in records:
            standing = stand(record, tuning_of(record.name, policy), now)
            if standing.starts_at is None:
                continue
            labels = record.matched()
            silence = silencing(labels, silences, now)
            has = record.acknowledged
            shown.append(
                {
                    **advised(alert_of(record, standing), policy).model_dump(mode="json"),
                    "acknowledged": has.model_dump(mode="json") if has else None,
                    "silenced_by": silence.id if silence else "",
                    "inhibited": is_inhibited(labels, inhibitors, policy.inhibition),
                    "groups": [
                        {"group": key.id, "receiver": key.receiver} for key in routes.groups_of(labels, record.owners)
                    ],
                }
            )
        return shown
