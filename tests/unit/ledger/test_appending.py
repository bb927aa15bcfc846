"""A log grows by batches, survives a crash at any point, and is never written by two."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import UnavailableError
from hallmark.ledger.merkle import hash_leaf, prove_consistency, root_of, verify_consistency
from hallmark.ledger.notes import read_checkpoint, read_note
from hallmark.ledger.sequencing import CHECKPOINT, Sequencer, intent_path, kept_checkpoint
from hallmark.ledger.tiles import HashReader, LogDamagedError, read_entries, tile_width, tiles_of
from hallmark.ledger.verifying import verify_log
from tests.fakes.log_files import Ed25519Verifier, LogFiles, LogKey

ORIGIN = "hallmark.test/ledger"
NOW = 1_764_000_000


def sequencer(files: LogFiles) -> Sequencer:
    return Sequencer(files, ORIGIN, [LogKey()])


def entries(start: int, count: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(start, start + count)]


def all_entries(files: LogFiles) -> list[bytes]:
    size = read_checkpoint(read_note(files.files[CHECKPOINT].decode()).text).size
    found: list[bytes] = []
    for index in range(-(-size // 256)):
        found += read_entries(files.read, index, tile_width(0, index, size))
    return found


def is_whole(files: LogFiles) -> bool:
    return verify_log(files.read, [LogKey().key], Ed25519Verifier()).is_whole


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_a_log_holds_all_batches_in_their_order_whatever_their_sizes(sizes: list[int]) -> None:
    files, total = LogFiles(), 0
    for size in sizes:
        assert sequencer(files).append(entries(total, size), NOW) == range(total, total + size)
        total += size

    assert all_entries(files) == entries(0, total)
    assert {tile.path for tile in tiles_of(total)} <= files.files.keys()
    assert is_whole(files)
    root = read_checkpoint(read_note(files.files[CHECKPOINT].decode()).text).root
    assert root == root_of(total, HashReader(files.read, total).node)


def test_two_levels_of_tiles_lead_to_the_root_of_the_leaves() -> None:
    files, count = LogFiles(), 256 * 257 + 3
    sequencer(files).append(entries(0, count), NOW)

    assert {"tile/0/000", "tile/0/256", "tile/0/257.p/3", "tile/1/000", "tile/1/001.p/1"} <= files.files.keys()
    assert is_whole(files)


def test_paths_have_three_digits_a_part() -> None:
    paths = [tile.path for tile in tiles_of(256 * 1_234_068) if tile.level == 0 and tile.place == 1_234_067]
    assert paths == ["tile/0/x001/x234/067"]


class CrashError(Exception):
    """The process is gone."""


@pytest.mark.parametrize("survived", range(8))
def test_a_crash_before_any_write_leaves_a_valid_log_and_the_batch_is_appended_once(survived: int) -> None:
    files = LogFiles()
    sequencer(files).append(entries(0, 250), NOW)
    writes = 0

    def crash(_path: str) -> None:
        nonlocal writes
        if writes == survived:
            raise CrashError
        writes += 1

    files.fail = crash
    with pytest.raises(CrashError):
        sequencer(files).append(entries(250, 10), NOW)
    files.fail = lambda _path: None
    assert is_whole(files)

    sequencer(files).append(entries(250, 10), NOW + 60)
    assert all_entries(files) == entries(0, 260)
    assert is_whole(files)


def test_what_somebody_announced_and_left_is_finished_before_another_batch() -> None:
    files = LogFiles()

    def crash(path: str) -> None:
        if path.startswith("tile/"):
            raise CrashError

    files.fail = crash
    with pytest.raises(CrashError):
        sequencer(files).append(entries(0, 3), NOW)
    files.fail = lambda _path: None

    assert sequencer(files).append(entries(3, 2), NOW) == range(3, 5)
    assert all_entries(files) == entries(0, 5)


def test_of_two_that_append_at_a_time_each_gets_its_place() -> None:
    files = LogFiles()
    first, second = sequencer(files), sequencer(files)
    interrupted = False

    def other(path: str) -> None:
        nonlocal interrupted
        if path == intent_path(0) and not interrupted:
            interrupted = True
            second.append(entries(100, 5), NOW)

    files.fail = other
    assert first.append(entries(0, 5), NOW) == range(5, 10)
    assert all_entries(files) == [*entries(100, 5), *entries(0, 5)]
    assert is_whole(files)


def test_each_checkpoint_is_kept_and_extends_the_one_before() -> None:
    files = LogFiles()
    for start in (0, 7, 300):
        sequencer(files).append(entries(start, 300 if start else 7), NOW)
    sizes = (7, 307, 607)
    kept = [read_checkpoint(read_note(files.files[kept_checkpoint(size)].decode()).text) for size in sizes]
    reader = HashReader(files.read, 607)

    for old, new in pairwise(kept):
        proof = prove_consistency(old.size, new.size, reader.node)
        verify_consistency(old.size, new.size, old.root, new.root, proof)


def test_a_changed_tile_is_not_signed_over() -> None:
    files = LogFiles()
    sequencer(files).append(entries(0, 10), NOW)
    path = "tile/0/000.p/10"
    files.files[path] = hash_leaf(b"forged") + files.files[path][32:]

    with pytest.raises(LogDamagedError, match="a tile was changed"):
        sequencer(files).append(entries(10, 1), NOW)


def test_a_changed_entry_of_the_last_bundle_is_not_signed_over() -> None:
    files = LogFiles()
    sequencer(files).append(entries(0, 10), NOW)
    path = "tile/entries/000.p/10"
    files.files[path] = files.files[path].replace(b"entry 3", b"entry X")

    with pytest.raises(LogDamagedError, match=r"tile/entries/000\.p/10"):
        sequencer(files).append(entries(10, 1), NOW)


def test_who_is_always_too_late_is_told_to_come_again() -> None:
    files = LogFiles()
    busy = sequencer(files)
    number = 0

    def other(path: str) -> None:
        nonlocal number
        if path == intent_path(number):
            number += 1
            busy.append(entries(number * 10, 1), NOW)

    files.fail = other
    with pytest.raises(UnavailableError):
        sequencer(files).append([b"late"], NOW)


class OutOfReach(LogKey):
    """A key of KMS while KMS does not answer."""

    def sign(self, message: bytes) -> bytes:
        raise UnavailableError("signing a checkpoint: KMSInternalException")


@pytest.mark.parametrize("sealed", [0, 7, 300])
def test_while_kms_does_not_sign_the_log_stands_as_it_was_and_afterwards_all_of_it_is_there_once(sealed: int) -> None:
    files = LogFiles()
    if sealed:
        sequencer(files).append(entries(0, sealed), NOW)
    before = files.files.get(CHECKPOINT)

    for _ in range(3):
        with pytest.raises(UnavailableError):
            Sequencer(files, ORIGIN, [OutOfReach()]).append(entries(sealed, 500), NOW)
        assert files.files.get(CHECKPOINT) == before
        assert before is None or is_whole(files)

    assert sequencer(files).append(entries(sealed, 500), NOW) == range(sealed, sealed + 500)
    assert all_entries(files) == entries(0, sealed + 500)
    assert is_whole(files)
