from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.subjects.finding import (
    Affected,
    FindSubject,
    SubjectAnswer,
    SubjectPart,
    SubjectsComplete,
    complete_subjects,
    find_subject,
    read_message,
    read_question,
    record_part,
)

KEY = bytes(32)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
RAW, TRAIN = "s3://b/raw#sha256:aa", "s3://b/train#sha256:bb"
ENDPOINT = Affected(key="arn:e", kind="endpoint", label="wine-live", status="InService")


class Files:
    def __init__(self) -> None:
        self.parts: dict[tuple[str, int], bytes] = {}
        self.kept: dict[str, bytes] = {}

    def write_part(self, folder: str, part: int, content: bytes) -> None:
        self.parts[folder, part] = content

    def read_part(self, folder: str, part: int, start: int, end: int) -> bytes | None:
        content = self.parts.get((folder, part))
        return None if content is None else content[start : end if end >= 0 else None]

    def write_manifest(self, folder: str, content: bytes) -> None:
        self.kept[folder] = content

    def read_manifest(self, folder: str) -> bytes | None:
        return self.kept.get(folder)

    def manifests(self) -> Iterator[bytes]:
        yield from self.kept.values()


class Lineage:
    def __init__(self) -> None:
        self.times: list[tuple[datetime | None, ...]] = []

    def affected_by(
        self, snapshot: str, as_of: datetime | None, known_at: datetime | None
    ) -> tuple[tuple[Affected, ...], bool]:
        self.times.append((as_of, known_at))
        return ((ENDPOINT,) if snapshot == RAW else ()), True

    def snapshots(self, known_at: datetime | None) -> int:
        self.times.append((known_at,))
        return 5


def recorded(*people: str, snapshot: str = RAW, files: Files | None = None) -> Files:
    kept = files or Files()
    for number, person in enumerate(people):
        record_part(SubjectPart(snapshot=snapshot, part=number, subjects=(person,)), kept, KEY)
    complete_subjects(SubjectsComplete(snapshot=snapshot, parts=len(people)), kept, NOW)
    return kept


def found(files: Files, person: str) -> SubjectAnswer:
    return find_subject(FindSubject(subject=person), files, Lineage(), KEY)


def test_the_models_that_saw_a_person_are_found_in_any_part() -> None:
    files = recorded("ana", "ben", "cleo")

    for person in ("ana", "ben", "CLEO "):
        answer = found(files, person)
        assert [snapshot.snapshot for snapshot in answer.snapshots] == [RAW]
        assert answer.snapshots[0].affected == (ENDPOINT,)
    assert found(files, "dora").snapshots == ()


def test_the_answer_says_what_it_rests_on_and_names_nobody() -> None:
    files = recorded("ben", "cleo", snapshot=TRAIN, files=recorded("ana"))
    answer = found(files, "ana")

    assert (answer.checked, answer.unrecorded) == (2, 3)
    assert answer.false_positive_bound == 3 / 2**64
    assert "ana" not in answer.model_dump_json()


def test_people_who_were_recorded_later_were_not_known_then_and_lineage_is_asked_of_the_same_times() -> None:
    files, lineage = recorded("ana"), Lineage()
    before = NOW - timedelta(seconds=1)

    then = find_subject(FindSubject(subject="ana", known_at=before), files, lineage, KEY)
    now = find_subject(FindSubject(subject="ana", as_of=before, known_at=NOW), files, lineage, KEY)

    assert (then.snapshots, then.checked, then.unrecorded) == ((), 0, 5)
    assert [snapshot.snapshot for snapshot in now.snapshots] == [RAW]
    assert lineage.times == [(before,), (before, NOW), (NOW,)]


def test_what_is_kept_names_nobody() -> None:
    files = recorded("ana@example.com")
    kept = b"".join([*files.parts.values(), *files.kept.values()])

    assert b"ana" not in kept


def test_a_snapshot_whose_parts_are_not_all_there_is_not_complete() -> None:
    files = Files()
    record_part(SubjectPart(snapshot=RAW, part=1, subjects=("ana",)), files, KEY)

    with pytest.raises(NotFoundError, match="part 0 of 2 is missing"):
        complete_subjects(SubjectsComplete(snapshot=RAW, parts=2), files, NOW)
    assert not files.kept


def test_the_same_people_again_are_the_same_fact_and_others_are_a_new_one() -> None:
    files = recorded("ana")
    complete = SubjectsComplete(snapshot=RAW, parts=1)
    again = complete_subjects(complete, files, NOW + timedelta(days=1))
    record_part(SubjectPart(snapshot=RAW, part=0, subjects=("ana", "ben")), files, KEY)
    other = complete_subjects(complete, files, NOW + timedelta(days=1))

    assert again.lineage.at == NOW
    assert (other.lineage.at, other.tokens) == (NOW + timedelta(days=1), 2)


def test_a_part_that_went_missing_is_an_error_and_no_answer() -> None:
    files = recorded("ana")
    files.parts.clear()

    with pytest.raises(NotFoundError, match="record its people again"):
        found(files, "ana")


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"snapshot": RAW, "part": -1, "subjects": ["ana"]}, "part"),
        ({"snapshot": RAW, "part": 0, "subjects": [["ana"]]}, "subjects.0"),
        ({"snapshot": RAW, "part": 0, "subjects": []}, "subjects"),
        ({"snapshot": "s3://b/raw", "parts": 1}, "snapshot"),
        ("ana", "the message"),
    ],
)
def test_a_wrong_message_is_refused_by_field_and_names_nobody(raw: object, field: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{field} is ") as refused:
        read_message(raw)
    assert "ana" not in str(refused.value)


def test_a_wrong_question_is_refused_and_names_nobody() -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_question({"subject": ["ana"]})
    assert "ana" not in str(refused.value)
