"""Forgetting a person: what is asked, by whom, and what is told of it, which does not name who was forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.events.erasure import PERSON_FORGOTTEN, PersonForgotten
from hallmark.events.records import LineageNode, LineageSection, own_id
from hallmark.people import Person
from hallmark.pseudonyms import people_in, plain_name

_REASON = range(10, 1_001)
"""Characters: a word explains nothing."""


class Request(BaseModel):
    """Whom to forget, by every name, address or ARN of theirs that may be recorded, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    persons: tuple[str, ...] = Field(min_length=1, max_length=20)
    reason: str


class PersonStore(Protocol):
    """Where people are kept, and what was not told yet of those who were forgotten."""

    def forget(self, names: Sequence[str], told: PersonForgotten) -> int:
        """Destroy what is kept of a person, together with keeping what is to be told; return how many tokens it was.

        Where nothing is kept of them, nothing is to be told.
        """
        ...

    def untold(self) -> Sequence[PersonForgotten]:
        """Return what is still to be told."""
        ...

    def told(self, event: PersonForgotten) -> None:
        """Note that something was told."""
        ...


class Teller(Protocol):
    """The bus."""

    def publish(self, detail_type: str, event: PersonForgotten) -> None:
        """Publish an event."""
        ...


class Forgotten(NamedTuple):
    """What was done."""

    id: str
    tokens: int


def read_request(message: object) -> Request:
    """Read what a person asks.

    Raises:
        InvalidInputError: It is no request; or its reason, which is recorded, names who is to be forgotten.
    """
    try:
        asked = Request.model_validate(message)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("message", *map(str, fault["loc"])))
        # The input is not repeated: it names a person, and errors are logged.
        raise InvalidInputError(field, "a request", fault["msg"]) from None
    reason = asked.reason.strip()
    if len(reason) not in _REASON:
        raise InvalidInputError("reason", f"{len(reason)} characters", "say in 10 to 1,000 characters why")
    if any(not name for name in names_of(asked)):
        raise InvalidInputError("persons", "an empty name", "name whom to forget")
    if any(name in plain_name(reason) for name in names_of(asked)):
        raise InvalidInputError(
            "reason", "a text that names the person", "say why without the name: the reason is kept for good"
        )
    return asked.model_copy(update={"reason": reason})


def names_of(request: Request) -> tuple[str, ...]:
    """Return the names, as they are compared, that a request tells: of an ARN, the name within."""
    found = [[trait.person for trait in people_in(person)] or [plain_name(person)] for person in request.persons]
    return tuple(dict.fromkeys(name for names in found for name in names))


def forget(request: Request, person: Person, store: PersonStore, teller: Teller, now: datetime) -> Forgotten:
    """Destroy what is kept of a person, and tell that it was done; also what an earlier call could not tell any more.

    Args:
        request: Whom, and why.
        person: Who asks, as STS says.
        store: Where people are kept.
        teller: The bus.
        now: What time it is.

    Raises:
        NotFoundError: Nothing is kept of anybody by these names.
        UnavailableError: A service did not answer; the same may be asked again.
    """
    tell_rest(store, teller)
    event = event_of(request, person, now)
    tokens = store.forget(names_of(request), event)
    if not tokens:
        raise NotFoundError(
            "nothing is kept (any more) of anybody by this name: give it as an act, an owner or an address has it"
        )
    tell_rest(store, teller)
    return Forgotten(event.forgetting, tokens)


def tell_rest(store: PersonStore, teller: Teller) -> None:
    """Tell what was done and not told yet."""
    for event in store.untold():
        teller.publish(PERSON_FORGOTTEN, event)
        store.told(event)


def event_of(request: Request, person: Person, now: datetime) -> PersonForgotten:
    """Return what is told of a forgetting; each has an id of its own."""
    name = uuid4().hex
    return PersonForgotten(
        forgetting=name,
        by=person.arn,
        reason=request.reason,
        forgotten_at=now,
        lineage=LineageSection(
            node=LineageNode(kind="forgetting", id=own_id("forgetting", name)),
            at=now,
            status="Done",
            attributes={
                "name": "a person was forgotten",
                "by": person.arn,
                "reason": request.reason,
            },
        ),
    )
