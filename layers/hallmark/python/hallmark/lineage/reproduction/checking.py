"""What of a manifest still exists with the same content, and when it is going to be lost: one finding each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from hallmark.lineage.model import NodeKind
from hallmark.lineage.reproduction.lifecycles import Expiry, StoredVersion, image_expiry, object_expiry
from hallmark.lineage.reproduction.manifest import Manifest, PinnedData, Row

Standing = Literal["same", "changed", "gone", "unknown"]
LISTED_VERSIONS = 200_000
"""Versions under one prefix that are looked at; beyond, what was not met counts as not known."""
_NAMED_OBJECTS = 3


class Place(NamedTuple):
    """What S3 says of a prefix and its bucket; ``refused`` says why nothing could be read.

    ``versioned`` and ``rules`` are None where the bucket could not be asked; ``unasked`` then says why.
    """

    versions: Sequence[StoredVersion] = ()
    complete: bool = True
    refused: str | None = None
    is_missing: bool = False
    versioned: bool | None = None
    rules: Sequence[Mapping[str, Any]] | None = None
    unasked: str = ""


class Image(NamedTuple):
    """What ECR says of an image; ``found`` is None where nobody could tell, ``refused`` then says why."""

    found: bool | None
    refused: str = ""
    tags: Sequence[str] = ()
    pushed_at: datetime | None = None
    lifecycle: str | None = None


class Protection(NamedTuple):
    """What keeps a version readable: the KMS key that encrypts it, and until when Object Lock holds it."""

    key: str | None = None
    held_until: datetime | None = None


class KeyState(NamedTuple):
    """Whether a KMS key can be used, and when it is going to be deleted. None: nobody could tell."""

    is_usable: bool | None
    text: str
    deleted_at: datetime | None = None


class Known(NamedTuple):
    """Whether something exists; None where nobody could tell. ``text`` says more."""

    exists: bool | None
    text: str


class World(Protocol):
    """The account, as whoever checks may see it."""

    def place(self, uri: str, limit: int) -> Place:
        """Return the versions of all objects whose keys begin with a URI's, and the bucket's rules."""
        ...

    def checksum(self, bucket: str, key: str, algorithm: str) -> str | None:
        """Return the stored checksum of an object's current content (``sha256:…``); None where there is none."""
        ...

    def protection(self, bucket: str, key: str, version_id: str) -> Protection:
        """Return what keeps a version readable; nothing, where it may not be asked for."""
        ...

    def encryption_key(self, key: str) -> KeyState:
        """Tell how a KMS key stands."""
        ...

    def rows(self, uri: str) -> Sequence[Row] | str:
        """Return the rows of a large listing; else why they cannot be read."""
        ...

    def image(self, pinned: str) -> Image:
        """Return what ECR says of an image."""
        ...

    def role(self, arn: str) -> Known:
        """Tell whether a role exists."""
        ...

    def instance_type(self, kind: NodeKind, name: str) -> Known:
        """Tell whether SageMaker has a type of machine for a kind of job."""
        ...

    def model(self, name: str) -> Known:
        """Tell whether a model exists."""
        ...


class Rot(BaseModel):
    """Something is going to be lost: ``at`` is None where no day is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    text: str
    at: datetime | None = None


class Finding(BaseModel):
    """How one thing stands that a manifest names."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    subject: str
    standing: Standing
    text: str
    warnings: tuple[Rot, ...] = ()


def check_manifest(manifest: Manifest, world: World, ask_commit: Callable[[str, str], Known]) -> Iterator[Finding]:
    """Yield how each thing stands that a manifest names: data, image, code, role, machines, model.

    Args:
        manifest: What to check.
        world: The account.
        ask_commit: Asks a repository for a commit.
    """
    for pinned in manifest.data:
        yield _check_data(pinned, world)
    if manifest.image is not None:
        yield _check_image(manifest, world)
    yield from _check_code(manifest, ask_commit)
    request = manifest.request or {}
    definition = request.get("TrainingJobDefinition") or {}
    role = request.get("RoleArn") or definition.get("RoleArn")
    if role:
        yield _known(f"role {role.rpartition('/')[2]}", world.role(role))
    for name in sorted(set(_instance_types(request))):
        yield _known(f"instance type {name}", world.instance_type(manifest.run.kind, name))
    if request.get("ModelName"):
        yield _known(f"model {request['ModelName']}", world.model(request["ModelName"]))


def _known(subject: str, known: Known) -> Finding:
    standing: Standing = "unknown" if known.exists is None else "same" if known.exists else "gone"
    return Finding(subject=subject, standing=standing, text=known.text)


def _instance_types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "InstanceType" and isinstance(item, str):
                yield item
            else:
                yield from _instance_types(item)
    elif isinstance(value, list):
        for item in value:
            yield from _instance_types(item)


# --- data ---


class Located(NamedTuple):
    """An object of a manifest and the version that holds its content; ``version`` is None where there is none."""

    row: Row
    version: StoredVersion | None
    is_same: bool | None
    """Whether the content is the recorded one; None where nobody could compare."""


def locate(pinned: PinnedData, rows: Sequence[Row], place: Place, world: World) -> list[Located]:
    """Find the version of each row among those that S3 has.

    A version never changes: where the row has a version id, that it exists is enough. Without versions the current
    object's checksum, else its ETag, is compared.
    """
    bucket, _, base = pinned.uri.removeprefix("s3://").partition("/")
    by_key: dict[str, list[StoredVersion]] = {}
    for version in place.versions:
        by_key.setdefault(version.key, []).append(version)
    return [_locate(row, bucket, _candidates(base, row[0], by_key), world) for row in rows]


def _candidates(base: str, relative: str, by_key: Mapping[str, list[StoredVersion]]) -> list[StoredVersion]:
    # A listing of "train" is of the folder, where there is one, else of all keys that begin so.
    keys = [base] if not relative else [f"{base}/{relative}" if base else relative, f"{base}{relative}"]
    return next((by_key[key] for key in keys if key in by_key), [])


def _locate(row: Row, bucket: str, candidates: Sequence[StoredVersion], world: World) -> Located:
    _, version_id, identity, size = row
    found = next((version for version in candidates if version.version_id == version_id), None)
    if found is None or version_id:
        return Located(row, found, True if found else None)
    if found.size != size:
        return Located(row, found, False)
    algorithm = identity.partition(":")[0]
    now = found.identity if algorithm == "etag" else world.checksum(bucket, found.key, algorithm)
    return Located(row, found, None if now is None else now == identity)


def rows_of(pinned: PinnedData, world: World) -> Sequence[Row] | str:
    """Return the rows of what a run read; else why they are not known."""
    if pinned.versions:
        return pinned.versions
    if pinned.versions_uri is None:
        return "lineage knows no versions of it"
    return world.rows(pinned.versions_uri)


def _check_data(pinned: PinnedData, world: World) -> Finding:
    subject = f"data {pinned.role}"
    rows = rows_of(pinned, world) if pinned.uri.startswith("s3://") else "it does not lie in S3"
    if isinstance(rows, str):
        return Finding(subject=subject, standing="unknown", text=f"{pinned.uri}: {rows}")
    place = world.place(pinned.uri, LISTED_VERSIONS)
    if place.refused is not None:
        standing: Standing = "gone" if place.is_missing else "unknown"
        return Finding(subject=subject, standing=standing, text=f"{pinned.uri}: {place.refused}")
    found = locate(pinned, rows, place, world)
    standing, text = _compared(found, place)
    kept = [each.version for each in found if each.version is not None]
    finding = Finding(subject=subject, standing=standing, text=f"{pinned.uri}: {text}")
    bucket = pinned.uri.removeprefix("s3://").partition("/")[0]
    protection = world.protection(bucket, kept[0].key, kept[0].version_id) if kept else Protection()
    warnings = tuple(_rot(pinned, place, kept, protection.held_until))
    return _protected(finding.model_copy(update={"warnings": warnings}), protection, world)


def _compared(found: Sequence[Located], place: Place) -> tuple[Standing, str]:
    lost = [each for each in found if each.version is None]
    other = [each for each in found if each.version is not None and each.is_same is False]
    doubtful = [each for each in found if each.version is not None and each.is_same is None]
    total = f"{len(found):,} object{'s' if len(found) != 1 else ''}"
    if lost and not place.complete:
        return "unknown", f"{len(lost):,} of {total} were not met among the first versions that S3 lists"
    if lost:
        return "gone", f"{len(lost):,} of {total} are gone: {_names(lost)}"
    if other:
        return "changed", f"{len(other):,} of {total} have another content: {_names(other)}"
    if doubtful:
        return "unknown", f"{len(doubtful):,} of {total} have no checksum to compare: {_names(doubtful)}"
    older = sum(each.version is not None and not each.version.is_latest for each in found)
    return "same", f"{total}{f', {older:,} as older versions' if older else ''}"


def _protected(finding: Finding, protection: Protection, world: World) -> Finding:
    """Add what a lock and a key mean for what was found."""
    standing, text, warnings = finding.standing, finding.text, list(finding.warnings)
    if protection.held_until is not None:
        text += f", held by Object Lock until {protection.held_until:%Y-%m-%d}"
    if protection.key is not None:
        state = world.encryption_key(protection.key)
        if state.is_usable is False:
            standing, text = "gone", f"{text}, and nobody can read it: its key {state.text}"
        if state.deleted_at is not None:
            warnings.append(Rot(text=f"its key {state.text}: cancel that before then", at=state.deleted_at))
    return finding.model_copy(update={"standing": standing, "text": text, "warnings": tuple(warnings)})


def _names(located: Sequence[Located]) -> str:
    shown = [each.row[0] or "the object itself" for each in located[:_NAMED_OBJECTS]]
    more = len(located) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _rot(pinned: PinnedData, place: Place, kept: Sequence[StoredVersion], held_until: datetime | None) -> Iterator[Rot]:
    bucket = pinned.uri.removeprefix("s3://").partition("/")[0]
    if place.unasked:
        yield Rot(text=f"whether {bucket} is going to delete them is not known: {place.unasked}")
    if place.versioned is False:
        yield Rot(text=f"{bucket} keeps no versions: the next overwrite loses the content")
    if not place.rules:
        return
    found = [object_expiry(place.rules, version, versioned=bool(place.versioned)) for version in kept]
    ends = [expiry for expiry in found if expiry is not None]
    if ends:
        dated = [expiry for expiry in ends if expiry.at is not None]
        first = min(dated, key=lambda expiry: str(expiry.at)) if dated else ends[0]
        if first.at is not None and held_until is not None and held_until > first.at:
            first = first._replace(at=held_until)  # no rule deletes what Object Lock holds
        yield _expiry_warning(f"{len(ends):,} of {len(kept):,} objects", f"the lifecycle rule {first.rule}", first)


def _expiry_warning(what: str, rule: str, expiry: Expiry) -> Rot:
    when = f"from {expiry.at:%Y-%m-%d} on" if expiry.at is not None else "once there are enough newer ones"
    surely = "deletes" if expiry.certain else "may delete (it asks for tags)"
    return Rot(text=f"{rule} {surely} {what} {when}", at=expiry.at)


# --- image and code ---


def _check_image(manifest: Manifest, world: World) -> Finding:
    pinned = manifest.image
    assert pinned is not None
    if pinned.pinned is None:
        return Finding(
            subject="image", standing="unknown", text=f"{pinned.uri}: its digest is not known, and a tag can be moved"
        )
    image = world.image(pinned.pinned)
    if not image.found:
        standing: Standing = "unknown" if image.found is None else "gone"
        return Finding(subject="image", standing=standing, text=f"{pinned.pinned}: {image.refused or 'it is gone'}")
    warnings = []
    if not image.tags:
        warnings.append(Rot(text="no tag names it: rules for untagged images take it"))
    if image.lifecycle is not None and image.pushed_at is not None:
        expiry = image_expiry(image.lifecycle, image.tags, image.pushed_at)
        if expiry is not None:
            warnings.append(_expiry_warning("it", f"the repository's rule {expiry.rule!r}", expiry))
    tags = f" ({', '.join(image.tags)})" if image.tags else ""
    return Finding(subject="image", standing="same", text=f"{pinned.pinned}{tags}", warnings=tuple(warnings))


def _check_code(manifest: Manifest, ask_commit: Callable[[str, str], Known]) -> Iterator[Finding]:
    code = manifest.code
    if code.commit is None:
        return
    if code.repository is None:
        yield Finding(subject="commit", standing="unknown", text=f"{code.commit}: no repository is named")
        return
    known = ask_commit(code.repository, code.commit)
    warnings = (Rot(text="the working tree had changes that are in no commit"),) if code.dirty else ()
    yield _known("commit", known).model_copy(update={"warnings": warnings})
