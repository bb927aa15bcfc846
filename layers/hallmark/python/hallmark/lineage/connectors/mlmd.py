"""ML Metadata's database (SQLite), as the library ``ml-metadata`` and Kubeflow Pipelines write it, as sections.

Numbers of states and events are those of ``ml_metadata/proto/metadata_store.proto``, tables those of schema version 10.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.lineage.connectors.telling import add_maps, fitting, flow, from_milliseconds
from hallmark.lineage.intake.naming import canonical_uri
from hallmark.lineage.intake.openlineage import EARLIEST

TOOL = "mlmd"

_READ = {2, 3, 5}  # DECLARED_INPUT, INPUT, INTERNAL_INPUT
_WROTE = {1, 4, 6}  # DECLARED_OUTPUT, OUTPUT, INTERNAL_OUTPUT; a PENDING_OUTPUT has not been written
_STATUSES = {1: "Pending", 2: "InProgress", 3: "Completed", 4: "Failed", 5: "Completed", 6: "Stopped"}
_CACHED = 5
_DELETED = 4
_RUN_TYPES = frozenset({"pipeline", "pipeline_run", "run", "system.Pipeline", "system.PipelineRun", "system.Run"})
"""Types of contexts that stand for a pipeline or a run of one (TFX, Kubeflow Pipelines)."""
_FLOWS = 400
"""Flows of one section; what has more is told in parts."""
_PAGE = 500

Stage = Literal["contexts", "artifacts", "executions"]
STAGES: tuple[Stage, ...] = ("contexts", "artifacts", "executions")


class Told(NamedTuple):
    """Sections of one thing, and where to go on after it (``artifacts:17``)."""

    position: str
    sections: Sequence[LineageSection]


class MlmdDatabase:
    """A database, read only.

    Args:
        path: The file.
        name: What it is called in the ids of its things: importing it again must call it the same.

    Raises:
        InvalidInputError: There is no such file, or it is no database of ML Metadata.
    """

    def __init__(self, path: Path, name: str) -> None:
        if not path.is_file():
            raise InvalidInputError("the database", str(path), "name the SQLite file that ML Metadata writes")
        self._name = name
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            (version,) = self._connection.execute("SELECT max(schema_version) FROM MLMDEnv").fetchone()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            remedy = f"it is no SQLite database of ML Metadata ({error})"
            raise InvalidInputError("the database", str(path), remedy) from None
        self.schema_version = int(version or 0)
        self._types = dict(self._connection.execute("SELECT id, name FROM Type"))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def counts(self) -> dict[str, int]:
        """Return how many things there are of each kind."""
        tables = {"contexts": "Context", "artifacts": "Artifact", "executions": "Execution", "events": "Event"}
        found = {}
        for name, table in tables.items():
            ((count,),) = self._connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - names from above
            found[name] = int(count)
        return found

    def told(self, after: str = "") -> Iterator[Told]:
        """Yield what each thing says, in an order that never changes, after a position.

        Raises:
            InvalidInputError: The position is none.
        """
        stage, number = _position(after)
        for name in STAGES[STAGES.index(stage) :]:
            last = number if name == stage else 0
            while rows := self._page(name, last):
                last = rows[-1]["id"]
                for row, sections in zip(rows, self._sections(name, rows), strict=True):
                    yield Told(f"{name}:{row['id']}", [fitting(section) for section in sections])

    # --- reading ---

    def _page(self, stage: Stage, last: int) -> list[dict[str, Any]]:
        table = {"contexts": "Context", "artifacts": "Artifact", "executions": "Execution"}[stage]
        return self._rows(f"SELECT * FROM {table} WHERE id > ? ORDER BY id LIMIT {_PAGE}", last)  # noqa: S608

    def _rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with closing(self._connection.execute(query, values)) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def _of(self, query: str, rows: Sequence[Mapping[str, Any]]) -> dict[int, list[dict[str, Any]]]:
        """Return the answers to a query over the ids from the first row's to the last one's, by the first column."""
        found = self._rows(query, rows[0]["id"], rows[-1]["id"])
        owner = next(iter(found[0])) if found else ""
        return {key: list(group) for key, group in groupby(found, itemgetter(owner))} if found else {}

    def _sections(self, stage: Stage, rows: Sequence[dict[str, Any]]) -> Iterator[list[LineageSection]]:
        kind = stage.removesuffix("s")
        # Columns by name: later schema versions have more kinds of values.
        properties = self._of(
            f"SELECT * FROM {kind.capitalize()}Property WHERE {kind}_id BETWEEN ? AND ? ORDER BY {kind}_id, name",  # noqa: S608
            rows,
        )
        if stage == "executions":
            yield from self._executions(rows, properties)
            return
        for row in rows:
            known = _values(properties.get(row["id"], []))
            yield [self._artifact(row, known)] if stage == "artifacts" else self._context(row, known)

    # --- telling ---

    def _artifact(self, row: Mapping[str, Any], known: Mapping[str, Any]) -> LineageSection:
        attributes: dict[str, Any] = {
            "name": row.get("name") or known.get("display_name") or known.get("name") or f"artifact {row['id']}",
            "type": self._types.get(row["type_id"]),
            "external_id": row.get("external_id"),
        }
        add_maps(attributes, properties=known)
        return LineageSection(
            node=self._data(row["id"], row.get("uri")),
            at=_time(row, "last_update_time_since_epoch"),
            since=_time(row, "create_time_since_epoch"),
            status="Deleted" if row.get("state") == _DELETED else None,
            attributes={name: value for name, value in attributes.items() if value},
        )

    def _context(self, row: Mapping[str, Any], known: Mapping[str, Any]) -> list[LineageSection]:
        if self._types.get(row["type_id"]) not in _RUN_TYPES:
            return []
        attributes: dict[str, Any] = {"name": row.get("name"), "type": self._types.get(row["type_id"])}
        add_maps(attributes, properties=known)
        parents = self._rows("SELECT parent_context_id FROM ParentContext WHERE context_id = ?", row["id"])
        return [
            LineageSection(
                node=self._run("contexts", row["id"]),
                at=_time(row, "create_time_since_epoch"),
                attributes=attributes,
                flows=[self._parent(parent["parent_context_id"]) for parent in parents],
            )
        ]

    def _executions(
        self, rows: Sequence[dict[str, Any]], properties: Mapping[int, list[dict[str, Any]]]
    ) -> Iterator[list[LineageSection]]:
        events = self._of(
            "SELECT e.execution_id, e.id AS event_id, e.type, a.id AS artifact_id, a.uri FROM Event e "
            "JOIN Artifact a ON a.id = e.artifact_id WHERE e.execution_id BETWEEN ? AND ? "
            "ORDER BY e.execution_id, e.id",
            rows,
        )
        paths = self._of(
            "SELECT e.execution_id, p.event_id, p.is_index_step, p.step_index, p.step_key FROM EventPath p "
            "JOIN Event e ON e.id = p.event_id WHERE e.execution_id BETWEEN ? AND ? ORDER BY e.execution_id, p.rowid",
            rows,
        )
        parents = self._of(
            "SELECT a.execution_id, c.id, c.type_id FROM Association a JOIN Context c ON c.id = a.context_id "
            "WHERE a.execution_id BETWEEN ? AND ? ORDER BY a.execution_id, c.id",
            rows,
        )
        for row in rows:
            number = row["id"]
            roles = _roles(paths.get(number, []))
            flows = [
                self._parent(parent["id"])
                for parent in parents.get(number, [])
                if self._types.get(parent["type_id"]) in _RUN_TYPES
            ]
            for event in events.get(number, []):
                flows += self._use(event, roles.get(event["event_id"], ""))
            yield self._execution(row, _values(properties.get(number, [])), flows)

    def _use(self, event: Mapping[str, Any], role: str) -> list[LineageFlow]:
        data = self._data(event["artifact_id"], event["uri"])
        if event["type"] in _READ:
            return [flow(data, "in", "ContributedTo", role)]
        return [flow(data, "out", "Produced", role)] if event["type"] in _WROTE else []

    def _execution(
        self, row: Mapping[str, Any], known: Mapping[str, Any], flows: Sequence[LineageFlow]
    ) -> list[LineageSection]:
        began, ended = _time(row, "create_time_since_epoch"), _time(row, "last_update_time_since_epoch")
        attributes: dict[str, Any] = {
            "name": known.get("display_name") or row.get("name") or f"execution {row['id']}",
            "type": self._types.get(row["type_id"]),
            "started_at": began.isoformat(),
        }
        if row.get("last_known_state") == _CACHED:
            attributes["cache_hit"] = True
        add_maps(attributes, properties=known)
        told = LineageSection(
            node=self._run("executions", row["id"]),
            at=ended,
            since=began,
            status=_STATUSES.get(row.get("last_known_state") or 0),
            attributes=attributes,
            flows=list(flows[:_FLOWS]),
        )
        parts = [told.model_copy(update={"attributes": {}, "flows": list(part)}) for part in _parts(flows[_FLOWS:])]
        return [told, *parts]

    def _run(self, kind: str, number: int) -> LineageNode:
        return LineageNode(kind="run", id=f"{TOOL}:{self._name}/{kind}/{number}")

    def _parent(self, number: int) -> LineageFlow:
        return flow(self._run("contexts", number), "in", "AssociatedWith", "parent")

    def _data(self, number: int, uri: str | None) -> LineageNode:
        """Return the node of an artifact: content of its own, even where another one had the same address."""
        if not uri or any(letter.isspace() for letter in uri):
            return LineageNode(kind="dataset", id=f"{TOOL}:{self._name}/artifacts/{number}")
        digest = sha256(f"{self._name}/artifacts/{number}".encode()).hexdigest()
        return LineageNode(kind="dataset", id=canonical_uri(uri), digest=f"{TOOL}:{digest}")


def _position(after: str) -> tuple[Stage, int]:
    if not after:
        return STAGES[0], 0
    name, _, number = after.partition(":")
    for stage in STAGES:
        if stage == name and number.isdigit():
            return stage, int(number)
    raise InvalidInputError("--after", after, "write what the interrupted import said: artifacts:17")


def _time(row: Mapping[str, Any], name: str) -> datetime:
    # Databases that were migrated from early schemas have no times (0): the earliest that the intake takes stands in.
    return max(from_milliseconds(int(row.get(name) or row.get("create_time_since_epoch") or 0)), EARLIEST)


def _values(properties: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kinds = ("string_value", "int_value", "double_value", "bool_value")
    found = {}
    for row in properties:
        value = next((row[kind] for kind in kinds if row.get(kind) is not None), None)
        if value is not None:
            found[str(row["name"])] = value
    return found


def _roles(steps: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return what each event's path says: its keys, without the index within a list of artifacts."""
    found: dict[int, list[str]] = {}
    for step in steps:
        if not step["is_index_step"] and step["step_key"]:
            found.setdefault(step["event_id"], []).append(str(step["step_key"]))
    return {event: "/".join(keys) for event, keys in found.items()}


def _parts(flows: Sequence[LineageFlow]) -> Iterator[Sequence[LineageFlow]]:
    for start in range(0, len(flows), _FLOWS):
        yield flows[start : start + _FLOWS]
