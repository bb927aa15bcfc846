"""The ledger's adapters against moto: files that are written once, and the index of places."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.ledger_files import LeafIndex, S3LogFiles
from hallmark.ledger.sequencing import Sequencer
from hallmark.ledger.verifying import verify_log
from tests.fakes.log_files import Ed25519Verifier, LogFiles, LogKey


@pytest.fixture(params=["memory", "s3"])
def files(request: pytest.FixtureRequest) -> Iterator[LogFiles | S3LogFiles]:
    if request.param == "memory":
        yield LogFiles()
        return
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="log", ObjectLockEnabledForBucket=True)
        yield S3LogFiles("log", s3, "ledger/")


def test_a_file_is_written_once(files: LogFiles | S3LogFiles) -> None:
    assert files.read("tile/0/000") is None
    assert (files.create("tile/0/000", b"one"), files.create("tile/0/000", b"two")) == (True, False)
    assert files.read("tile/0/000") == b"one"


def test_a_file_is_replaced_only_where_it_is_as_it_was_read(files: LogFiles | S3LogFiles) -> None:
    assert files.read_version("checkpoint") is None
    assert files.replace("checkpoint", b"1", None)
    assert not files.replace("checkpoint", b"x", None)
    read = files.read_version("checkpoint")
    assert read is not None
    assert files.replace("checkpoint", b"2", read.version)
    assert not files.replace("checkpoint", b"x", read.version)
    assert files.read("checkpoint") == b"2"


def test_a_log_in_these_files_is_whole(files: LogFiles | S3LogFiles) -> None:
    for start in (0, 200):
        entries = [f"entry {number}".encode() for number in range(start, start + 200)]
        Sequencer(files, "log", [LogKey("log")]).append(entries, 0)

    found = verify_log(files.read, [LogKey("log").key], Ed25519Verifier())
    assert (found.is_whole, found.entries) == (True, 400)


def test_places_are_kept_and_the_mark_of_what_is_indexed_only_rises() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="index",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        index = LeafIndex("index", client)
        assert (index.indexed, index.places(["a"])) == (0, {})
        index.add([(f"fact-{number}", number) for number in range(130)], 130)
        index.add([("fact-7", 7)], 8)

        assert index.indexed == 130
        assert index.places([f"fact-{number}" for number in range(125, 140)]) == {
            f"fact-{number}": number for number in range(125, 130)
        }
