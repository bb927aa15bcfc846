"""OpenLineage events (specification 2-0-2, and whatever older or odder producers send) become reports.

Liberal in what is taken: a run's id may be no UUID, a producer no URI, facets of any version or of none. Needed are a
time, and a run, a dataset or a job. An event says a part of what is known of a run; parts merge in any order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.events.records import FlowType, LineageFlow, LineageNode, LineageSection
from hallmark.events.reports import LineageReported, foreign_id
from hallmark.events.times import parse_time
from hallmark.lineage.intake.facets import fit, kept
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.references import kind_of

TOOL = "openlineage"
OWN_PRODUCER = "urn:hallmark:"
"""Of the events that Hallmark itself sends out: taken in again, they would tell nothing new."""
FLOWS_IN_A_REPORT = 100
"""A run with more inputs and outputs is told in several reports: a fact must fit an item of DynamoDB."""
FLOW_BYTES_IN_A_REPORT = 100_000
"""And a report, with its facets, one request to the bus (256 KB)."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""Clocks differ; one that is further ahead would hold against everything that happens until then."""

_STATUSES = {
    "START": "InProgress",
    "RUNNING": "InProgress",
    "COMPLETE": "Completed",
    "FAIL": "Failed",
    "ABORT": "Stopped",
    "OTHER": None,
}
_DIGEST = re.compile(r"(sha1|sha256|sha384|sha512|md5|blake2b|blake3|crc64nvme):[A-Za-z0-9+/=_-]{8,128}")
_TEXT = 1500
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Translation(NamedTuple):
    """What an event becomes."""

    reports: tuple[LineageReported, ...]
    inputs: tuple[str, ...]
    """Places that a run which has ended says it read: lineage should know them."""


def is_own(event: Mapping[str, Any]) -> bool:
    """Tell whether Hallmark itself sent an event."""
    return str(event.get("producer") or "").startswith(OWN_PRODUCER)


def translate(
    event: Any, names: Names, *, now: datetime, reported_by: str | None = None, place: str = ""
) -> Translation:
    """Translate one event.

    Args:
        event: The event, as JSON was read.
        names: The canonical names of datasets.
        now: The time, against which the event's own is held.
        reported_by: ARN of whoever sent it.
        place: Where it stood (``[3]``), for messages.

    Raises:
        InvalidInputError: It is no event of OpenLineage's; the message names the field.
    """
    if not isinstance(event, Mapping):
        raise InvalidInputError(place or "the event", event, "send an OpenLineage event: a JSON object")
    return _Translating(event, names, now, reported_by, f"{place}." if place else "").translation()


class _Job(NamedTuple):
    namespace: str
    name: str


class _Translating:
    def __init__(
        self, event: Mapping[str, Any], names: Names, now: datetime, reported_by: str | None, prefix: str
    ) -> None:
        self._event, self._names, self._by, self._prefix = event, names, reported_by, prefix
        self._at = self._time(now)
        self._reports: list[LineageReported] = []

    def translation(self) -> Translation:
        # An event with a run and a dataset is valid by the schema: it tells of the run.
        if self._event.get("run") is not None:
            return self._run_event()
        if self._event.get("dataset") is not None:
            self._dataset_facts(self._dataset(self._event["dataset"], "dataset"), is_alone=True)
            return Translation(tuple(self._reports), ())
        if self._event.get("job") is not None:
            return self._job_event()
        raise InvalidInputError(
            f"{self._prefix}run", None, "say what the event tells of: a run with its job, a dataset, or a job"
        )

    # --- events ---

    def _run_event(self) -> Translation:
        run, job = self._section("run"), self._job("job")
        status = self._status()
        node = self._run_node(run, job, "run.runId")
        facets, job_facets = _facets(run), _facets(self._event["job"])
        flows, inputs = self._flows()
        flows += self._code(job_facets) + self._parents(facets, node) + self._upstream_runs(facets)
        flows += self._explicit(job_facets.get("lineage"), node, "job.facets.lineage")
        flows += self._explicit(facets.get("lineage"), node, "run.facets.lineage")
        attributes = {
            "name": job.name,
            "job": {"namespace": job.namespace, "name": job.name},
            "producer": str(self._event.get("producer") or "")[:_TEXT],
            **self._times(status, facets),
            **_code_attribute(job_facets),
            **_failure(facets),
            **_tags(facets, job_facets),
            "facets": fit({**kept(job_facets, "job"), **kept(facets, "run")}),
        }
        self._tell(node, status, attributes, flows)
        ended = status not in {None, "InProgress"}
        return Translation(tuple(self._reports), tuple(inputs) if ended else ())

    def _job_event(self) -> Translation:
        job, facets = self._job("job"), _facets(self._event["job"])
        node = self._job_node(job)
        # What a job is meant to read and write; that it did is for its runs to say.
        flows = [
            _flow(flow.node, flow.direction, "AssociatedWith", "reads" if flow.direction == "in" else "writes")
            for flow in self._flows()[0]
        ]
        flows += self._code(facets) + self._explicit(facets.get("lineage"), node, "job.facets.lineage")
        attributes = {
            "name": job.name,
            "job": {"namespace": job.namespace, "name": job.name},
            "design": True,
            **_code_attribute(facets),
            **_tags(facets),
            "facets": fit(kept(facets, "job")),
        }
        self._tell(node, None, attributes, flows)
        return Translation(tuple(self._reports), ())

    def _tell(
        self,
        node: LineageNode,
        status: str | None,
        attributes: Mapping[str, Any],
        flows: list[LineageFlow],
        since: datetime | None = None,
    ) -> None:
        """Add the report of a node: in parts, where it has very many flows."""
        flows = list(dict.fromkeys(flows_in_order(flows)))
        told = {name: value for name, value in attributes.items() if value not in (None, "", {}, [])}
        for part in in_parts(flows):
            section = LineageSection(node=node, at=self._at, since=since, status=status, attributes=told, flows=part)
            self._reports.append(LineageReported(tool=TOOL, reported_by=self._by, lineage=section))

    # --- datasets ---

    def _flows(self) -> tuple[list[LineageFlow], list[str]]:
        flows, inputs = [], []
        for field, direction, kind in (("inputs", "in", "ContributedTo"), ("outputs", "out", "Produced")):
            for number, each in enumerate(self._list(field)):
                dataset = self._dataset(each, f"{field}[{number}]")
                flows.append(_flow(dataset.node, direction, kind, dataset.partition))
                if direction == "in" and dataset.node.kind == "dataset":
                    inputs.append(dataset.node.id)
                if direction == "out":
                    flows += [_flow(node, "in", "ContributedTo", "column lineage") for node in dataset.columns_of]
                self._dataset_facts(dataset)
        named = {(flow.node.kind, flow.node.id) for flow in flows if flow.role != "column lineage"}
        known = [flow for flow in flows if flow.role != "column lineage" or (flow.node.kind, flow.node.id) not in named]
        return known, inputs

    def _dataset(self, given: Any, field: str) -> _Dataset:
        if not isinstance(given, Mapping):
            raise self._refusal(field, given, "name a dataset: {namespace, name}")
        facets = _facets(given)
        for name in ("inputFacets", "outputFacets"):
            more = given.get(name)
            facets |= _facets({"facets": more})
        uri, partition = self._names.of(*self._pair(given, field))
        version = str(_within(facets, "version").get("datasetVersion") or "")
        return _Dataset(
            node=self._node(uri, version if _DIGEST.fullmatch(version) else None),
            place=self._node(uri, None),
            partition=partition,
            facets=facets,
            label=str(given["name"])[:_TEXT],
            aliases=tuple(self._symlinks(facets, uri, field)),
            columns_of=tuple(self._columns(facets, uri, field)),
            version=version,
        )

    def _node(self, uri: str, digest: str | None) -> LineageNode:
        if len(uri) > _TEXT:
            raise self._refusal("the dataset", uri, f"a name has {_TEXT} characters at most")
        kind = kind_of(uri)
        return LineageNode(kind=kind.value, id=uri) if kind else LineageNode(kind="dataset", id=uri, digest=digest)

    def _symlinks(self, facets: Mapping[str, Any], uri: str, field: str) -> Iterable[LineageNode]:
        for number, each in enumerate(_sections(_within(facets, "symlinks").get("identifiers"))):
            alias = self._names.of(*self._pair(each, f"{field}.facets.symlinks.identifiers[{number}]")).uri
            if alias != uri:
                yield self._node(alias, None)

    def _columns(self, facets: Mapping[str, Any], uri: str, field: str) -> Iterable[LineageNode]:
        """Yield the datasets that the columns come from."""
        columns = _within(facets, "columnLineage")
        uses = [*_sections(columns.get("dataset"))]
        fields = columns.get("fields")
        for each in fields.values() if isinstance(fields, Mapping) else ():
            uses += _sections(_within({"field": each}, "field").get("inputFields"))
        own = _within(facets, "lineage")
        uses += _sections(own.get("inputs"))
        for each in own["fields"].values() if isinstance(own.get("fields"), Mapping) else ():
            uses += _sections(_within({"field": each}, "field").get("inputs"))
        met = {uri}
        for use in uses:
            if str(use.get("type") or "DATASET").upper() == "JOB" or not use.get("name"):
                continue
            source = self._names.of(*self._pair(use, f"{field}.facets.columnLineage")).uri
            if source not in met:
                met.add(source)
                yield self._node(source, None)

    def _dataset_facts(self, dataset: _Dataset, *, is_alone: bool = False) -> None:
        """Tell what an event says of a dataset itself, where it says more than its name."""
        if dataset.place.kind != "dataset":
            return
        facets = fit(kept(dataset.facets, "dataset"))
        same = [_flow(alias, "in", "SameAs", "symlink") for alias in dataset.aliases]
        flows: list[LineageFlow] = []
        before = self._renamed_from(dataset)
        flows += [_flow(before, "in", "DerivedFrom", "renamed")] if before else []
        if is_alone:
            flows += [_flow(source, "in", "DerivedFrom", "column lineage") for source in dataset.columns_of]
        if same:
            # Two names of one thing have always been that: told with each event, it is the same edge.
            self._tell(dataset.place, None, {"name": dataset.label}, same, since=EARLIEST)
        if not (facets or flows or is_alone):
            return
        attributes = {
            "name": dataset.label,
            "fields": _fields(dataset.facets),
            "version_told": dataset.version,
            "facets": {name: value for name, value in facets.items() if name != "dataset.schema"},
        }
        self._tell(dataset.place, None, attributes, flows)

    def _renamed_from(self, dataset: _Dataset) -> LineageNode | None:
        before = _within(dataset.facets, "lifecycleStateChange").get("previousIdentifier")
        if not isinstance(before, Mapping) or not before.get("name"):
            return None
        uri = self._names.of(*self._pair(before, "lifecycleStateChange.previousIdentifier")).uri
        return None if uri == dataset.place.id else self._node(uri, None)

    # --- runs and jobs ---

    def _explicit(self, facet: Any, node: LineageNode, field: str) -> list[LineageFlow]:
        """Read the facet ``lineage``: what flowed from where to where, by the producer's own word.

        An entry is about the event's own run, or job, where it names none.
        """
        flows: list[LineageFlow] = []
        for number, entry in enumerate(_sections(facet.get("entries")) if isinstance(facet, Mapping) else ()):
            place = f"{field}.entries[{number}]"
            target = self._end(entry, node, place)
            uses = [*_sections(entry.get("inputs"))]
            fields = entry.get("fields")
            for each in fields.values() if isinstance(fields, Mapping) else ():
                uses += _sections(_within({"field": each}, "field").get("inputs"))
            sources = list(dict.fromkeys((end.kind, end.id) for end in (self._end(use, node, place) for use in uses)))
            found = [
                _flow(LineageNode(kind=kind, id=name), "in", _type_between(kind, target.kind), "lineage")
                for kind, name in sources
                if (kind, name) != (target.kind, target.id)
            ]
            if (target.kind, target.id) == (node.kind, node.id):
                flows += found
            elif found:
                # Told of the other end, so that both are in one report.
                self._tell(target, None, {}, found)
        return flows

    def _end(self, end: Mapping[str, Any], node: LineageNode, field: str) -> LineageNode:
        is_job = str(end.get("type") or "DATASET").upper() == "JOB"
        if is_job and not end.get("name"):
            return node
        if not is_job:
            return self._node(self._names.of(*self._pair(end, field)).uri, None)
        job = _Job(*self._pair(end, field))
        run = end.get("runId")
        if not run:
            own = self._event.get("job")
            is_own = isinstance(own, Mapping) and (own.get("namespace"), own.get("name")) == job
            return node if is_own else self._job_node(job)
        return self._run_node({"runId": run}, job, f"{field}.runId")

    def _parents(self, facets: Mapping[str, Any], node: LineageNode) -> list[LineageFlow]:
        facet = _within(facets, "parent")
        found = self._named_run(facet, "run.facets.parent")
        if found is None:
            return []
        if found.id == node.id:
            raise self._refusal("run.facets.parent.run.runId", node.id, "a run is not its own parent")
        above = self._named_run(_within(facet, "root"), "run.facets.parent.root")
        if self._status() != "InProgress" or self._event.get("eventType") == "START":
            self._tell_parent(found, facet, above)
        return [_flow(found, "in", "AssociatedWith", "parent")]

    def _tell_parent(self, parent: LineageNode, facet: Mapping[str, Any], above: LineageNode | None) -> None:
        flows = []
        if above is not None and above.id != parent.id:
            flows.append(_flow(above, "in", "AssociatedWith", "parent"))
            root = _within(_within(facet, "root"), "job")
            self._tell(above, None, {"name": str(root.get("name") or "")[:_TEXT]}, [])
        job = _within(facet, "job")
        self._tell(parent, None, {"name": str(job.get("name") or "")[:_TEXT], "job": _named_job(job)}, flows)

    def _named_run(self, facet: Mapping[str, Any], field: str) -> LineageNode | None:
        run, job = _within(facet, "run"), _within(facet, "job")
        if not run.get("runId"):
            return None
        named = _Job(str(job.get("namespace") or ""), str(job.get("name") or ""))
        return self._run_node(run, named, f"{field}.run.runId")

    def _upstream_runs(self, facets: Mapping[str, Any]) -> list[LineageFlow]:
        """Return what the facet ``jobDependencies`` says ran before."""
        found = []
        for number, each in enumerate(_sections(_within(facets, "jobDependencies").get("upstream"))):
            run = self._named_run(each, f"run.facets.jobDependencies.upstream[{number}]")
            if run is not None:
                found.append(_flow(run, "in", "ContributedTo", "dependency"))
        return found

    def _run_node(self, run: Mapping[str, Any], job: _Job, field: str) -> LineageNode:
        identifier = run.get("runId")
        if not isinstance(identifier, str) or not identifier.strip() or len(identifier) > _TEXT // 3:
            raise self._refusal(field, identifier, "give the run an id: a UUID")
        identifier = identifier.strip()
        if _UUID.fullmatch(identifier):
            return LineageNode(kind="run", id=foreign_id(TOOL, identifier.lower()))
        # Only a UUID is the same run wherever it is named.
        return LineageNode(kind="run", id=foreign_id(TOOL, f"{job.namespace}/{job.name}/{identifier}"))

    def _job_node(self, job: _Job) -> LineageNode:
        return LineageNode(kind="run", id=foreign_id(TOOL, f"job/{job.namespace}/{job.name}"))

    def _code(self, facets: Mapping[str, Any]) -> list[LineageFlow]:
        code = _code_attribute(facets).get("code", {})
        repository, commit = code.get("repository"), code.get("commit")
        if not commit:
            return []
        node = LineageNode(kind="code", id=f"git:{repository or ''}@{commit}")
        return [_flow(node, "in", "ContributedTo", "code")]

    # --- fields ---

    def _status(self) -> str | None:
        kind = self._event.get("eventType")
        if kind is None:
            return None
        if not isinstance(kind, str) or kind.upper() not in _STATUSES:
            raise self._refusal("eventType", kind, f"take one of {', '.join(_STATUSES)}")
        return _STATUSES[kind.upper()]

    def _times(self, status: str | None, facets: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if str(self._event.get("eventType")).upper() == "START":
            found["started_at"] = _instant(self._at)
        elif status not in {None, "InProgress"}:
            found["ended_at"] = _instant(self._at)
        nominal = _within(facets, "nominalTime")
        if nominal:
            found["nominal_time"] = {
                name: str(nominal[name])[:64] for name in ("nominalStartTime", "nominalEndTime") if nominal.get(name)
            }
        return found

    def _time(self, now: datetime) -> datetime:
        value = self._event.get("eventTime")
        try:
            time = parse_time(value) if isinstance(value, str) else None
        except ValueError:
            time = None
        if time is None:
            raise self._refusal("eventTime", value, "say when it was, with the zone: 2026-11-29T12:00:00Z (ISO 8601)")
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        if not EARLIEST <= time <= now + AHEAD:
            raise self._refusal(
                "eventTime", value, f"here it is {_instant(now)}: set the sender's clock, and send the event again"
            )
        return time

    def _job(self, field: str) -> _Job:
        return _Job(*self._pair(self._section(field), field))

    def _section(self, field: str) -> Mapping[str, Any]:
        value = self._event.get(field)
        if not isinstance(value, Mapping):
            raise self._refusal(field, value, "send an object, as the OpenLineage specification has it")
        return value

    def _list(self, field: str) -> list[Any]:
        value = self._event.get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._refusal(field, value, "send a list of datasets")
        return value

    def _pair(self, section: Mapping[str, Any], field: str) -> tuple[str, str]:
        for part in ("namespace", "name"):
            value = section.get(part)
            if not isinstance(value, str) or not value.strip() or len(value) > _TEXT:
                remedy = f"name it by a text of at most {_TEXT} characters"
                raise self._refusal(f"{field}.{part}", value, remedy)
        return section["namespace"], section["name"]

    def _refusal(self, field: str, value: object, remedy: str) -> InvalidInputError:
        return InvalidInputError(f"{self._prefix}{field}", value, remedy)


class _Dataset(NamedTuple):
    node: LineageNode
    """With the digest of its content, where that is told."""
    place: LineageNode
    partition: str
    facets: Mapping[str, Any]
    label: str
    aliases: tuple[LineageNode, ...]
    columns_of: tuple[LineageNode, ...]
    version: str


def in_parts(flows: list[LineageFlow]) -> list[list[LineageFlow]]:
    """Return flows in parts of bounded number and size; one empty part for none."""
    parts: list[list[LineageFlow]] = [[]]
    size = 0
    for flow in flows:
        more = len(flow.model_dump_json().encode())
        if len(parts[-1]) == FLOWS_IN_A_REPORT or size + more > FLOW_BYTES_IN_A_REPORT:
            parts.append([])
            size = 0
        parts[-1].append(flow)
        size += more
    return parts


def flows_in_order(flows: Iterable[LineageFlow]) -> list[LineageFlow]:
    """Return flows in one order, however the producer listed them."""
    return sorted(flows, key=lambda flow: (flow.direction, flow.type, flow.role, flow.node.kind, flow.node.id))


def _flow(node: LineageNode, direction: str, kind: str, role: str) -> LineageFlow:
    return LineageFlow.model_validate({"node": node, "direction": direction, "type": kind, "role": role[:256]})


def _type_between(source: str, target: str) -> FlowType:
    if source == "run" and target == "dataset":
        return "Produced"
    if source == target == "dataset":
        return "DerivedFrom"
    return "ContributedTo"


def _named_job(job: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(job[name])[:_TEXT] for name in ("namespace", "name") if job.get(name)}


def _facets(section: Mapping[str, Any]) -> dict[str, Any]:
    facets = section.get("facets")
    if not isinstance(facets, Mapping):
        return {}
    return {str(name): facet for name, facet in facets.items() if isinstance(facet, Mapping)}


def _within(section: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = section.get(name)
    return found if isinstance(found, Mapping) else {}


def _sections(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _code_attribute(facets: Mapping[str, Any]) -> dict[str, Any]:
    facet = _within(facets, "sourceCodeLocation")
    code = {
        "repository": facet.get("repoUrl") or facet.get("url"),
        "commit": facet.get("version"),
        "branch": facet.get("branch") or facet.get("tag"),
        "entry_point": facet.get("path"),
    }
    told = {name: value[:_TEXT] for name, value in code.items() if isinstance(value, str) and value}
    return {"code": told} if told else {}


def _failure(facets: Mapping[str, Any]) -> dict[str, Any]:
    message = _within(facets, "errorMessage").get("message")
    return {"failure_reason": message[:_TEXT]} if isinstance(message, str) and message else {}


def _tags(*facets: Mapping[str, Any]) -> dict[str, Any]:
    listed = [tag for each in facets for tag in _sections(_within(each, "tags").get("tags"))]
    tags = {str(tag["key"])[:128]: str(tag.get("value", ""))[:256] for tag in listed[:50] if tag.get("key")}
    return {"tags": tags} if tags else {}


def _fields(facets: Mapping[str, Any]) -> dict[str, str]:
    listed = [each for each in _sections(_within(facets, "schema").get("fields")) if each.get("name")]
    return {str(each["name"])[:256]: str(each.get("type") or "")[:256] for each in listed[:1000]}


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
