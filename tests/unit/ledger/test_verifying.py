"""Whatever is done to a log's files is found, and named."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.ledger.entries import content_path, read_entry, write_entry
from hallmark.ledger.merkle import hash_leaf
from hallmark.ledger.sequencing import CHECKPOINT, Sequencer, intent_path, kept_checkpoint
from hallmark.ledger.tiles import bundle, unbundle
from hallmark.ledger.verifying import Verification, verify_log
from tests.fakes.log_files import Ed25519Verifier, LogFiles, LogKey

ORIGIN = "hallmark.test/ledger"
COUNT = 600
LAST = "tile/entries/002.p/88"


def make_log(*batches: int) -> LogFiles:
    files, start = LogFiles(), 0
    for count in batches:
        entries = []
        for number in range(start, start + count):
            body = json.dumps({"number": number, "text": "y" * (70_000 if number == 5 else 1)}).encode()
            sealed = write_entry(f"fact-{number}", datetime(2026, 11, 28, tzinfo=UTC), body)
            digest = read_entry(sealed.content, "").body_sha256
            if sealed.body is not None and digest is not None:
                files.create(content_path(digest), sealed.body)
            entries.append(sealed.content)
        Sequencer(files, ORIGIN, [LogKey()]).append(entries, 0)
        start += count
    return files


@pytest.fixture(scope="module")
def whole() -> LogFiles:
    return make_log(COUNT)


@pytest.fixture
def files(whole: LogFiles) -> LogFiles:
    copy = LogFiles()
    copy.files, copy.versions = dict(whole.files), dict(whole.versions)
    return copy


def verify(files: LogFiles, since: str | None = None) -> Verification:
    return verify_log(files.read, [LogKey().key], Ed25519Verifier(), since=since)


def test_a_log_as_it_was_written_is_whole(files: LogFiles) -> None:
    found = verify(files)

    assert found.is_whole
    assert found.entries == COUNT


def test_a_changed_entry_is_named(files: LogFiles) -> None:
    files.files[LAST] = files.files[LAST].replace(b'"number":555', b'"number":556')

    (damage,) = verify(files).damages
    assert (damage.entry, damage.path) == (555, LAST)
    assert "entry 555" in str(damage)


def test_entries_that_changed_places_are_named(files: LogFiles) -> None:
    entries = unbundle(files.files["tile/entries/000"], 256, "")
    entries[10], entries[20] = entries[20], entries[10]
    files.files["tile/entries/000"] = bundle(entries)

    assert [damage.entry for damage in verify(files).damages] == [10, 20]


def test_a_removed_entry_is_named_by_its_bundle(files: LogFiles) -> None:
    entries = unbundle(files.files["tile/entries/001"], 256, "")
    files.files["tile/entries/001"] = bundle(entries[:5] + entries[6:])

    (damage,) = verify(files).damages
    assert damage.path == "tile/entries/001"
    assert "255 entries, 256 are needed" in damage.what


def test_an_entry_that_was_replaced_with_its_hash_is_found_by_the_hash_above(files: LogFiles) -> None:
    entries = unbundle(files.files["tile/entries/001"], 256, "")
    entries[7] = b'{"id":"forged"}'
    files.files["tile/entries/001"] = bundle(entries)
    tile = files.files["tile/0/001"]
    files.files["tile/0/001"] = tile[: 7 * 32] + hash_leaf(entries[7]) + tile[8 * 32 :]

    found = verify(files)
    assert [damage.path for damage in found.damages] == ["tile/1/000.p/2"]
    assert "tile/0/001" in str(found.damages[0])


def test_a_log_whose_hashes_were_all_made_anew_has_no_signature(files: LogFiles) -> None:
    forged = LogFiles()
    Sequencer(forged, ORIGIN, [LogKey(seed=9)]).append([b'{"id":"forged"}'] * COUNT, 0)

    found = verify(forged)
    assert found.checkpoint is None
    assert "signatures of hallmark.test/ledger" in str(found.damages[0])


def test_a_signed_checkpoint_over_another_tree_is_found(files: LogFiles) -> None:
    other = make_log(COUNT - 1, 1)
    forged = LogFiles()
    Sequencer(forged, ORIGIN, [LogKey()]).append([b"{}"] * COUNT, 0)
    files.files[CHECKPOINT] = forged.files[CHECKPOINT]

    assert not verify(files).is_whole
    assert verify(other).is_whole


def test_a_changed_long_body_is_named_with_its_entry(files: LogFiles) -> None:
    path = next(path for path in files.files if path.startswith("content/"))
    files.files[path] = files.files[path].replace(b"yyy", b"yyz", 1)

    (damage,) = verify(files).damages
    assert (damage.path, damage.entry) == (path, 5)
    del files.files[path]
    assert "missing" in verify(files).damages[0].what


def test_only_what_was_added_is_read_again_and_the_old_log_must_be_a_part() -> None:
    files = make_log(300, 300)
    old = files.files[kept_checkpoint(300)].decode()

    found = verify(files, since=old)
    assert found.is_whole
    assert found.entries == COUNT - 256

    Sequencer(shorter := LogFiles(), ORIGIN, [LogKey()]).append([b"{}"] * 400, 0)
    assert "not those of the older checkpoint" in verify(shorter, since=old).damages[0].what
    longer = files.files[kept_checkpoint(COUNT)].decode()
    assert any("it was cut" in damage.what for damage in verify(make_log(300), since=longer).damages)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_is_found(whole: LogFiles, data: st.DataObject) -> None:
    damaged = LogFiles()
    damaged.files, damaged.versions = dict(whole.files), dict(whole.versions)
    # What only tells the sequencer what follows, and what only repeats a checkpoint, is not part of the log.
    path = data.draw(st.sampled_from(sorted(set(damaged.files) - {intent_path(0)})))
    content = bytearray(damaged.files[path])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    damaged.files[path] = bytes(content)

    assert not verify(damaged).is_whole


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_missing_file_is_named(whole: LogFiles, data: st.DataObject) -> None:
    damaged = LogFiles()
    damaged.files, damaged.versions = dict(whole.files), dict(whole.versions)
    path = data.draw(st.sampled_from(sorted(set(damaged.files) - {intent_path(0), kept_checkpoint(COUNT)})))
    del damaged.files[path]

    assert any(path in str(damage) for damage in verify(damaged).damages)
