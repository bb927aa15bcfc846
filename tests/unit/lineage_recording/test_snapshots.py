"""The content of a dataset, as docs/graph.md defines it."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.lineage.ports import Listing, StoredObject
from hallmark.lineage.snapshot import MAXIMUM_PARTS, take_snapshot
from tests.fakes.memory_store import NOW, stored

KEYS = st.lists(
    st.lists(st.sampled_from(["a", "b", "train", "test"]), min_size=1, max_size=3).map("/".join),
    unique=True,
    max_size=8,
)


def listing(*objects: StoredObject, complete: bool = True, refused: str | None = None) -> Listing:
    return Listing(objects, complete=complete, refused=refused)


def test_the_digest_is_that_of_the_sorted_rows_as_anyone_can_compute_it() -> None:
    taken = take_snapshot(listing(stored("b.csv", "two"), stored("a.csv", "one")), None)

    rows = [["a.csv", "etag:one", 3], ["b.csv", "etag:two", 3]]
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()
    assert taken.digest == f"sha256:{hashlib.sha256(text).hexdigest()}"


@given(KEYS, st.randoms(use_true_random=True))
def test_the_order_of_a_listing_and_the_ids_of_versions_do_not_count(keys: list[str], random: object) -> None:
    objects = [stored(key, f"content of {key}") for key in keys]
    shuffled = [stored(key, f"content of {key}", version=f"v{key}", at=NOW + timedelta(days=1)) for key in keys]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types its randoms as object

    one, other = take_snapshot(listing(*objects), None), take_snapshot(listing(*shuffled), None)

    assert one.digest == other.digest
    assert [part[:2] for part in one.parts] == [part[:2] for part in other.parts]


@pytest.mark.parametrize(
    "changed",
    [
        stored("other.csv", "rows"),
        stored("data.csv", "swor"),
        stored("data.csv", "rows")._replace(size=5),
        stored("data.csv", "rows")._replace(identity="sha256:rows"),
    ],
    ids=["key", "content", "size", "kind of checksum"],
)
def test_a_change_of_anything_else_is_another_content(changed: StoredObject) -> None:
    same = stored("data.csv", "rows")

    assert take_snapshot(listing(same), None).digest != take_snapshot(listing(changed), None).digest


def test_the_part_of_a_whole_has_the_digest_that_it_has_when_read_alone() -> None:
    whole = take_snapshot(listing(stored("train/a.csv", "1"), stored("train/b.csv", "2"), stored("c.csv", "3")), None)
    alone = take_snapshot(listing(stored("a.csv", "1"), stored("b.csv", "2")), None)
    single = take_snapshot(listing(stored("", "3")), None)

    parts = {part.path: part.digest for part in whole.parts}
    assert parts["train"] == alone.digest
    assert parts["c.csv"] == single.digest


def test_directories_come_before_objects_and_shallow_ones_before_deep_ones() -> None:
    taken = take_snapshot(listing(stored("x/y/1.csv"), stored("a.csv"), stored("b/2.csv")), None)

    assert [part.path for part in taken.parts] == ["b", "x", "x/y", "a.csv", "b/2.csv", "x/y/1.csv"]
    assert taken.parts_complete


def test_parts_are_bounded_and_say_so() -> None:
    objects = [stored(f"{number:02}/data.csv", str(number)) for number in range(MAXIMUM_PARTS + 8)]

    taken = take_snapshot(listing(*objects), None)

    assert [part.path for part in taken.parts] == [f"{number:02}" for number in range(MAXIMUM_PARTS)]
    assert not taken.parts_complete
    assert taken.complete


def test_a_listing_beyond_the_bound_has_a_digest_but_no_parts() -> None:
    # What lies under a directory is not known whole, so its digest would be that of another content.
    taken = take_snapshot(listing(stored("a/1.csv"), stored("a/2.csv"), complete=False), None)

    assert (taken.complete, taken.parts, taken.parts_complete) == (False, (), False)
    assert taken.digest is not None


def test_the_mark_of_a_directory_is_content_and_no_part() -> None:
    taken = take_snapshot(listing(stored("train/", ""), stored("train/a.csv", "1")), None)

    assert [part.path for part in taken.parts] == ["train", "train/a.csv"]
    assert taken.digest != take_snapshot(listing(stored("train/a.csv", "1")), None).digest


def test_nothing_has_no_digest() -> None:
    assert take_snapshot(listing(), None).digest is None


def test_what_may_not_be_read_has_no_digest_and_says_why() -> None:
    taken = take_snapshot(listing(refused="AccessDenied"), None)

    assert (taken.digest, taken.refused) == (None, "AccessDenied")


def test_objects_that_changed_after_the_time_are_counted() -> None:
    objects = [stored("old.csv", at=NOW), stored("new.csv", at=NOW + timedelta(seconds=1))]

    assert take_snapshot(listing(*objects), NOW).changed_after == 1
    assert take_snapshot(listing(*objects), None).changed_after == 0


@pytest.mark.parametrize(
    ("identities", "expected"),
    [(("etag:1",), "etag"), (("sha256:1", "crc64nvme:2"), "checksum"), (("etag:1", "sha256:2"), "mixed"), ((), None)],
)
def test_a_snapshot_says_what_it_rests_on(identities: tuple[str, ...], expected: str | None) -> None:
    names = islice("abc", len(identities))
    objects = [stored(name)._replace(identity=identity) for name, identity in zip(names, identities, strict=True)]

    assert take_snapshot(listing(*objects), None).identity == expected
