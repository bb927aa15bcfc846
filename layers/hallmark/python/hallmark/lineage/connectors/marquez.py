"""What Marquez keeps: the OpenLineage events as they came in, from its PostgreSQL database or by its HTTP API.

Everything else in Marquez is made of these events, so that they are all that has to be carried over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from hallmark.errors import HallmarkError, InvalidInputError, UnavailableError
from hallmark.lineage.connectors.ports import ToolApi

_PAGE = 100
_AT_A_TIME = 500


class Carried(NamedTuple):
    """An event, and where to go on after it."""

    position: str
    event: Mapping[str, Any]


class MarquezEvents(Protocol):
    """Where the events are."""

    def count(self) -> int:
        """Return how many there are."""
        ...

    def events(self, after: str = "") -> Iterator[Carried]:
        """Yield them by their time, after a position."""
        ...


class PsycopgMissingError(HallmarkError):
    """The driver for PostgreSQL is not installed."""


class MarquezDatabase:
    """Marquez's database, read only.

    Args:
        dsn: ``postgresql://user:password@host:5432/marquez``.

    Raises:
        PsycopgMissingError: The extra ``migration`` is not installed.
        UnavailableError: The database does not answer.
    """

    def __init__(self, dsn: str) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an extra: only who migrates has it
        except ImportError:
            raise PsycopgMissingError("install the driver for PostgreSQL: pip install 'hallmark[migration]'") from None
        self._faults = psycopg.Error
        try:
            self._connection = psycopg.connect(dsn)
            self._connection.read_only = True
        except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
            # libpq's texts name host and user, never the password.
            raise UnavailableError(f"the database of Marquez does not answer: {str(error).strip()}") from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def count(self) -> int:
        """Return how many events there are.

        Raises:
            InvalidInputError: It is no database of Marquez.
        """
        try:
            row = self._connection.execute("SELECT count(*) FROM lineage_events").fetchone()
        except self._faults as error:
            remedy = f"it is no database of Marquez that this user may read ({str(error).strip()})"
            raise InvalidInputError("the database", "lineage_events", remedy) from None
        return int(row[0]) if row else 0

    def events(self, after: str = "") -> Iterator[Carried]:
        """Yield the events by their time; of one time by the digest of their text.

        Raises:
            InvalidInputError: The position is none.
        """
        when, _, digest = after.partition("|")
        query = "SELECT event_time, md5(event::text), event FROM lineage_events"
        values: tuple[Any, ...] = ()
        if after:
            query += " WHERE (coalesce(event_time, '-infinity'), md5(event::text)) > (%s, %s)"
            values = (_instant(when, after), digest)
        query += " ORDER BY coalesce(event_time, '-infinity'), md5(event::text)"
        # On the server, so that a large table is read a piece at a time.
        with self._connection.cursor(name="hallmark_import") as cursor:
            cursor.itersize = _AT_A_TIME
            cursor.execute(query, values)
            for event_time, key, event in cursor:
                told = "-infinity" if event_time is None else event_time.isoformat()
                yield Carried(f"{told}|{key}", event if isinstance(event, dict) else json.loads(event))


def _instant(when: str, after: str) -> str | datetime:
    if when == "-infinity":
        return when
    try:
        return datetime.fromisoformat(when)
    except ValueError:
        raise InvalidInputError("--after", after, "write what the interrupted import said") from None


class MarquezApi:
    """Marquez's HTTP API, ``GET /api/v1/events/lineage``: for whoever may not read its database.

    Args:
        api: At Marquez's address.
    """

    def __init__(self, api: ToolApi) -> None:
        self._api = api

    def count(self) -> int:
        """Return how many events there are.

        Raises:
            UnavailableError: Marquez does not answer.
            InvalidInputError: It is not Marquez that answers.
        """
        return int(self._page(0, 1).get("totalCount") or 0)

    def events(self, after: str = "") -> Iterator[Carried]:
        """Yield the events, the oldest first; a position is how many came before.

        Raises:
            UnavailableError: Marquez does not answer.
            InvalidInputError: The position is none, or it is not Marquez that answers.
        """
        if after and not after.isdigit():
            raise InvalidInputError("--after", after, "write the number that the interrupted import said")
        offset = int(after or 0)
        while True:
            found = self._page(offset, _PAGE)["events"]
            for event in found:
                offset += 1
                yield Carried(str(offset), event)
            if len(found) < _PAGE:
                return

    def _page(self, offset: int, limit: int) -> Mapping[str, Any]:
        query: dict[str, str | int] = {"limit": limit, "offset": offset, "sortDirection": "asc"}
        answer = self._api.get("/api/v1/events/lineage", query)
        if not isinstance(answer.get("events"), list):
            raise InvalidInputError("the answer", sorted(answer), "is this the address of Marquez's API?")
        return answer
