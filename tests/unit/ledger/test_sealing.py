"""What was recorded gets its place once, whatever is repeated and wherever a crash comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from hallmark.errors import NotFoundError
from hallmark.ledger.reading import read_bodies
from hallmark.ledger.sealing import Ledger, Recorded, entry_at
from hallmark.ledger.sequencing import Sequencer
from tests.fakes.log_files import LogFiles, LogKey

ORIGIN = "hallmark.test/ledger"
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Index:
    """Places in memory; ``lost`` forgets all, as a table that was made anew."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}
        self.indexed = 0

    def places(self, identifiers: Sequence[str]) -> dict[str, int]:
        return {name: self.found[name] for name in identifiers if name in self.found}

    def add(self, places: Iterable[tuple[str, int]], size: int) -> None:
        self.found |= dict(places)
        self.indexed = max(self.indexed, size)


def facts(*numbers: int, size: int = 1) -> list[Recorded]:
    return [
        Recorded(
            f"fact-{number}", NOON + timedelta(seconds=number), json.dumps({"n": number, "t": "x" * size}).encode()
        )
        for number in numbers
    ]


def ledger(files: LogFiles, index: Index) -> Ledger:
    return Ledger(files, Sequencer(files, ORIGIN, [LogKey()]), index)


def numbers(files: LogFiles) -> list[int]:
    return [logged.body["n"] for logged in read_bodies(files, 0, 10_000).found]


def test_facts_are_sealed_oldest_first_and_once() -> None:
    files, index = LogFiles(), Index()
    assert ledger(files, index).seal(facts(3, 1, 2, 1), 0) == (3, 3)
    assert ledger(files, index).seal(facts(2, 4, 1), 0) == (1, 4)

    assert numbers(files) == [1, 2, 3, 4]
    assert index.found == {"fact-1": 0, "fact-2": 1, "fact-3": 2, "fact-4": 3}


def test_more_than_a_batch_is_sealed_in_batches() -> None:
    files, index = LogFiles(), Index()
    ledger(files, index).seal(facts(*range(2_300)), 0)

    assert index.indexed == 2_300
    assert numbers(files) == list(range(2_300))


def test_an_index_that_was_lost_is_made_anew_from_the_log() -> None:
    files, index = LogFiles(), Index()
    ledger(files, index).seal(facts(*range(300)), 0)
    lost = Index()
    ledger(files, lost).seal(facts(5, 300), 0)

    assert lost.found == {f"fact-{number}": number for number in range(301)}


class CrashError(Exception):
    """The process is gone."""


@pytest.mark.parametrize("at", ["sequencer/", "tile/entries/", "tile/0", "checkpoints/", "checkpoint"])
def test_a_batch_that_a_crash_cut_off_is_sealed_once_when_it_comes_again(at: str) -> None:
    files, index = LogFiles(), Index()
    ledger(files, index).seal(facts(1), 0)

    def crash(path: str) -> None:
        if path.startswith(at) and not (at == "checkpoint" and path.startswith("checkpoints/")):
            raise CrashError

    files.fail = crash
    with pytest.raises(CrashError):
        ledger(files, index).seal(facts(2, 3), 0)
    files.fail = lambda _path: None
    # What comes again need not be the same batch.
    ledger(files, index).seal(facts(3, 4), 1)
    ledger(files, index).seal(facts(2), 1)

    assert sorted(numbers(files)) == [1, 2, 3, 4]
    assert {name: numbers(files)[place] for name, place in index.found.items()} == {
        f"fact-{number}": number for number in (1, 2, 3, 4)
    }


def test_a_long_fact_is_read_back_whole() -> None:
    files, index = LogFiles(), Index()
    ledger(files, index).seal(facts(1, size=200_000), 0)

    assert read_bodies(files, 0, 1).found[0].body["t"] == "x" * 200_000


def test_a_place_beyond_the_end_is_no_entry() -> None:
    files, index = LogFiles(), Index()
    ledger(files, index).seal(facts(1), 0)

    with pytest.raises(NotFoundError, match="no entry 1"):
        entry_at(files, 1, 1)
    with pytest.raises(NotFoundError, match="there is no ledger"):
        read_bodies(LogFiles(), 0, 1)
