"""However a tool spells a dataset, it is one node: an edge that misses its other end tells nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.lineage.intake.naming import Names, canonical_uri, joined
from tests.fakes.foreign_lineage import ForeignLineage, run_event

GLUE = "arn:aws:glue:eu-west-1:111122223333"


@pytest.mark.parametrize(
    ("namespace", "name", "uri"),
    [
        ("s3://bucket", "raw/wine", "s3://bucket/raw/wine"),
        ("s3a://bucket", "/raw/wine/", "s3://bucket/raw/wine"),
        ("s3n://bucket/", "raw//wine", "s3://bucket/raw/wine"),
        ("S3://bucket", "raw/Wine", "s3://bucket/raw/Wine"),
        ("https://bucket.s3.eu-west-1.amazonaws.com", "raw/wine", "s3://bucket/raw/wine"),
        ("https://bucket.s3.amazonaws.com", "/raw/wine/", "s3://bucket/raw/wine"),
        ("https://s3.eu-west-1.amazonaws.com", "bucket/raw/wine", "s3://bucket/raw/wine"),
        ("s3://bucket", "raw/wine/dt=2026-01-01", "s3://bucket/raw/wine"),
        ("s3://bucket", "raw/wine/dt=2026-01-01/hour=3/part-0.parquet", "s3://bucket/raw/wine"),
        ("s3://bucket", "dt=2026-01-01", "s3://bucket/dt=2026-01-01"),
        ("hdfs://NameNode:8020", "/warehouse/wine/year=2026", "hdfs://namenode/warehouse/wine"),
        ("hdfs://namenode:9000", "/warehouse/wine", "hdfs://namenode:9000/warehouse/wine"),
        ("file", "/data/wine.csv", "file:///data/wine.csv"),
        ("file:/data", "default.wine", "file:///data/default.wine"),
        ("file://", "data/wine.csv", "file:///data/wine.csv"),
        (GLUE, "table/Sales/Orders", f"{GLUE}:table/sales/orders"),
        ("hive://metastore:9083", "default.t1", "hive://metastore/default.t1"),
        ("bigquery", "project.set.table", "bigquery:project.set.table"),
        ("postgresql://DB:5432", "shop.public.Orders", "postgresql://db:5432/shop.public.Orders"),
    ],
)
def test_each_spelling_has_one_canonical_name(namespace: str, name: str, uri: str) -> None:
    assert Names().of(namespace, name).uri == uri


def test_a_partition_is_told_beside_the_table_and_can_be_kept() -> None:
    assert Names().of("s3://b", "t/dt=1/h=2").partition == "dt=1/h=2"
    assert Names(keep_partitions=True).of("s3a://b", "t/dt=1/").uri == "s3://b/t/dt=1"


def test_what_lies_below_a_name_lies_below_its_alias_and_nothing_else_does() -> None:
    names = Names(
        {
            "hdfs://namenode:8020/warehouse/": "s3a://lake/warehouse",
            f"{GLUE}:table/Sales/Orders": "hdfs://namenode/warehouse/sales/orders",
        }
    )

    assert names.of("hdfs://namenode", "/warehouse/wine").uri == "s3://lake/warehouse/wine"
    assert names.of("hdfs://namenode", "/warehouse2/wine").uri == "hdfs://namenode/warehouse2/wine"
    assert names.of(GLUE, "table/sales/orders").uri == "s3://lake/warehouse/sales/orders"


def test_aliases_in_a_circle_come_to_an_end() -> None:
    assert Names({"s3://a/x": "s3://b/x", "s3://b/x": "s3://a/x"}).of("s3://a", "x").uri in {"s3://a/x", "s3://b/x"}


paths = st.lists(st.text("abZ019._-= ", min_size=1), min_size=1, max_size=4).map("/".join)


@given(
    st.sampled_from(["s3://bucket", "s3a://bucket", "hdfs://n:8020", "file", "file:/data", "gs://b", GLUE, "bigquery"]),
    paths,
)
def test_a_canonical_name_is_its_own_canonical_name(namespace: str, name: str) -> None:
    once = canonical_uri(joined(namespace, name))
    assert canonical_uri(once) == once


def test_a_writer_and_a_reader_with_different_spellings_meet() -> None:
    lineage = ForeignLineage({"hdfs://namenode/sales": "s3://lake/sales"})
    writer = run_event(outputs=[("hdfs://namenode:8020", "/sales/orders/dt=2026-11-28")], job="write")
    reader = run_event(
        run="11111111-3480-44ff-99c5-ff943904e5e8", inputs=[("https://lake.s3.amazonaws.com", "sales/orders/")]
    )
    lineage.intake.receive([reader, writer])

    assert "openlineage:3f5e83fa-3480-44ff-99c5-ff943904e5e8" in lineage.upstream(
        "openlineage:11111111-3480-44ff-99c5-ff943904e5e8"
    )
