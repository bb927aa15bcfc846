"""Marquez: its tables in PostgreSQL, and the plans of the two recursive statements with which it walks.

Its server is a Java program, which is not run: rows are inserted as its intake leaves them, and the statements were
written anew to the plans that its LineageDao has. The one walks from a run to the runs that made what it read, a row
for each run, version and depth; the other first gathers the current inputs and outputs of all jobs, then joins jobs
that share a dataset, whichever way the data flowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.pipeline.runs import HOPS, Asked, Pipeline
from hallmark.lineage.questions import Direction

# Of each table what the statements read; an index for each of their joins.
_TABLES = """
    create table jobs (uuid uuid primary key, name text, current_version_uuid uuid);
    create table job_versions (uuid uuid primary key, job_uuid uuid references jobs);
    create table datasets (uuid uuid primary key, name text);
    create table job_versions_io_mapping (
        job_version_uuid uuid references job_versions, dataset_uuid uuid references datasets, io_type text,
        unique (job_version_uuid, dataset_uuid, io_type));
    create table runs (uuid uuid primary key, job_version_uuid uuid references job_versions, state text);
    create table dataset_versions (
        uuid uuid primary key, dataset_uuid uuid references datasets, run_uuid uuid references runs);
    create index on dataset_versions (run_uuid);
    create table runs_input_mapping (
        run_uuid uuid references runs, dataset_version_uuid uuid references dataset_versions,
        primary key (run_uuid, dataset_version_uuid));
    create index on runs_input_mapping (dataset_version_uuid);
"""
_UPSTREAM = """
    with recursive walked (run, version, maker, hops) as (
        select first.uuid, made.uuid, made.run_uuid, 0
        from (select %(start)s::uuid as uuid) first
        left join runs_input_mapping used on used.run_uuid = first.uuid
        left join dataset_versions made on made.uuid = used.dataset_version_uuid
      union
        select walked.maker, made.uuid, made.run_uuid, walked.hops + 1
        from walked
        left join runs_input_mapping used on used.run_uuid = walked.maker
        left join dataset_versions made on made.uuid = used.dataset_version_uuid
        where walked.maker is not null and walked.hops < %(hops)s
    )
    select distinct on (run, version, maker) run, version, maker from walked
"""
_DOWNSTREAM = """
    with recursive walked (version, run, made, hops) as (
        select first.uuid, used.run_uuid, made.uuid, 0
        from (select %(start)s::uuid as uuid) first
        left join runs_input_mapping used on used.dataset_version_uuid = first.uuid
        left join dataset_versions made on made.run_uuid = used.run_uuid
      union
        select walked.made, used.run_uuid, made.uuid, walked.hops + 1
        from walked
        left join runs_input_mapping used on used.dataset_version_uuid = walked.made
        left join dataset_versions made on made.run_uuid = used.run_uuid
        where walked.made is not null and walked.hops < %(hops)s
    )
    select distinct on (version, run, made) version, run, made from walked
"""
_JOBS = """
    with recursive uses as materialized (
        select job.uuid as job,
            array_agg(distinct io.dataset_uuid) filter (where io.io_type = 'INPUT') as read,
            array_agg(distinct io.dataset_uuid) filter (where io.io_type = 'OUTPUT') as wrote
        from jobs job
        left join job_versions version on version.uuid = job.current_version_uuid
        left join job_versions_io_mapping io on io.job_version_uuid = version.uuid
        group by job.uuid
    ), related (job, read, wrote, hops) as (
        select job, read, wrote, 0 from uses where job = %(start)s
      union
        select uses.job, uses.read, uses.wrote, related.hops + 1
        from uses, related
        where uses.job <> related.job and related.hops < %(hops)s
            and array_cat(uses.read, uses.wrote) && array_cat(related.read, related.wrote)
    )
    select distinct on (related.job) jobs.uuid from related join jobs on jobs.uuid = related.job
"""


class Marquez:
    """See ``Tracker``: each run is one of a job of its own, each dataset has one version."""

    name = "Marquez's statements on PostgreSQL"

    def __init__(self, uri: str) -> None:
        self._base = psycopg.connect(uri, autocommit=True)
        self.servers: Sequence[int] = (self._base.info.backend_pid,)
        self._base.execute("drop schema if exists public cascade")
        self._base.execute("create schema public")
        self._base.execute(_TABLES)

    def record(self, pipeline: Pipeline) -> None:
        """Insert the rows of each run, a transaction a run."""
        known: set[int] = set()
        for run in pipeline.runs:
            node = _uuid(run.number)
            with self._base.transaction(), self._base.cursor() as cursor:
                cursor.execute("insert into jobs values (%s, %s, %s)", (node, f"run-{run.number}", node))
                cursor.execute("insert into job_versions values (%s, %s)", (node, node))
                cursor.execute("insert into runs values (%s, %s, 'COMPLETED')", (node, node))
                fresh = [each for each in (*run.read, run.wrote) if each not in known]
                cursor.executemany(
                    "insert into datasets values (%s, %s)", [(_uuid(each), pipeline.keys[each]) for each in fresh]
                )
                cursor.executemany(
                    "insert into dataset_versions values (%s, %s, %s)",
                    [(_uuid(each), _uuid(each), node if each == run.wrote else None) for each in fresh],
                )
                used = [(node, _uuid(each)) for each in run.read]
                cursor.executemany("insert into runs_input_mapping values (%s, %s)", used)
                flows = [(*each, "INPUT") for each in used] + [(node, _uuid(run.wrote), "OUTPUT")]
                cursor.executemany("insert into job_versions_io_mapping values (%s, %s, %s)", flows)
            known.update(fresh)
        self._base.execute("vacuum analyze")

    def ask(self, asked: Asked) -> Any:
        """Walk from a run up, or from a dataset down; a hop of its own is from a run to a run, two edges."""
        statement = _UPSTREAM if asked.direction is Direction.UP else _DOWNSTREAM
        rows = self._base.execute(statement, {"start": _uuid(asked.start), "hops": HOPS // 2 - 1}).fetchall()
        return asked, rows

    def numbers(self, found: Any) -> set[int]:
        """See ``Tracker``."""
        asked, rows = found
        return {each.int for row in rows for each in row if each is not None} - {asked.start}

    def related_jobs(self, run: int, hops: int) -> set[int]:
        """Return the jobs so near to a run's, whichever way the data flowed: what its lineage endpoint asks."""
        rows = self._base.execute(_JOBS, {"start": _uuid(run), "hops": hops}).fetchall()
        return {row[0].int for row in rows} - {run}


def _uuid(number: int) -> UUID:
    return UUID(int=number)
