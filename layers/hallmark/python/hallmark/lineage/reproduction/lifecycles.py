"""When S3 and ECR are going to delete what a manifest names, by the rules that the bucket and the repository have."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

Rule = Mapping[str, Any]


class StoredVersion(NamedTuple):
    """One version of an object, as S3 lists it.

    ``version_id`` is "" in a bucket without versions; ``noncurrent_since`` is when the next version took its place;
    ``newer_noncurrent`` counts the noncurrent versions that are newer than this one.
    """

    key: str
    version_id: str
    identity: str
    size: int
    modified_at: datetime
    is_latest: bool = True
    noncurrent_since: datetime | None = None
    newer_noncurrent: int = 0


class Expiry(NamedTuple):
    """Something is going to be deleted: when (None: the rule counts, it names no day), and by which rule.

    ``certain`` is False where the rule asks for tags, which nobody looked at.
    """

    at: datetime | None
    rule: str
    certain: bool = True


def object_expiry(rules: Sequence[Rule], version: StoredVersion, *, versioned: bool) -> Expiry | None:
    """Return when a bucket's lifecycle rules delete a version for good; None: they do not.

    In a bucket with versions, ``Expiration`` only hides the current version behind a delete marker: it is lost when
    ``NoncurrentVersionExpiration`` takes it (S3 user guide, intro-lifecycle-rules).

    Args:
        rules: ``Rules`` of GetBucketLifecycleConfiguration.
        version: What is asked about.
        versioned: Whether the bucket keeps versions.
    """
    fitting = [rule for rule in rules if rule.get("Status") == "Enabled" and _fits(rule, version)]
    if not versioned:
        return _earliest(_expirations(fitting, version))
    since = version.noncurrent_since
    hidden_by: Expiry | None = None
    if since is None:
        hidden_by = _earliest(_expirations(fitting, version))
        if hidden_by is None:
            return None
        since = hidden_by.at
    found = list(_noncurrent(fitting, version, since))
    if hidden_by is not None:
        found = [expiry._replace(certain=expiry.certain and hidden_by.certain) for expiry in found]
    return _earliest(found)


def _expirations(rules: Sequence[Rule], version: StoredVersion) -> Iterator[Expiry]:
    for rule in rules:
        expiration = rule.get("Expiration") or {}
        if expiration.get("Days"):
            yield _expiry(rule, _midnight_after(version.modified_at + timedelta(days=expiration["Days"])))
        elif expiration.get("Date"):
            yield _expiry(rule, expiration["Date"])


def _noncurrent(rules: Sequence[Rule], version: StoredVersion, since: datetime | None) -> Iterator[Expiry]:
    for rule in rules:
        expiration = rule.get("NoncurrentVersionExpiration") or {}
        kept = expiration.get("NewerNoncurrentVersions") or 0
        if expiration.get("NoncurrentDays") and since is not None:
            at = _midnight_after(since + timedelta(days=expiration["NoncurrentDays"]))
            # So many newer ones are kept besides: until there are as many, only further overwrites bring the day on.
            yield _expiry(rule, at if version.newer_noncurrent >= kept else None)


def _expiry(rule: Rule, at: datetime | None) -> Expiry:
    selection = rule.get("Filter") or {}
    tagged = "Tag" in selection or "Tags" in (selection.get("And") or {})
    return Expiry(at, str(rule.get("ID") or "without a name"), certain=not tagged)


def _fits(rule: Rule, version: StoredVersion) -> bool:
    selection = rule.get("Filter") or {}
    both = selection.get("And") or {}
    prefix = rule.get("Prefix") or selection.get("Prefix") or both.get("Prefix") or ""
    larger = selection.get("ObjectSizeGreaterThan", both.get("ObjectSizeGreaterThan", -1))
    smaller = selection.get("ObjectSizeLessThan", both.get("ObjectSizeLessThan"))
    return version.key.startswith(prefix) and version.size > larger and (smaller is None or version.size < smaller)


def _midnight_after(time: datetime) -> datetime:
    """Return the next midnight in UTC: S3 rounds up to it (S3 user guide, intro-lifecycle-rules)."""
    day = time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == time else day + timedelta(days=1)


def _earliest(found: Iterator[Expiry] | Sequence[Expiry]) -> Expiry | None:
    return min(
        found, key=lambda expiry: (expiry.at is None, expiry.at or datetime.max.replace(tzinfo=UTC)), default=None
    )


def image_expiry(policy_text: str, tags: Sequence[str], pushed_at: datetime) -> Expiry | None:
    """Return when a repository's lifecycle policy deletes an image; None: it does not.

    The first rule by priority that selects an image decides (ECR user guide, LifecyclePolicies).

    Args:
        policy_text: ``lifecyclePolicyText`` of GetLifecyclePolicy.
        tags: The image's.
        pushed_at: When it was pushed.
    """
    for rule in sorted(json.loads(policy_text).get("rules", []), key=lambda each: each.get("rulePriority", 0)):
        selection = rule.get("selection") or {}
        if (rule.get("action") or {}).get("type", "expire") != "expire" or not _selects(selection, tags):
            continue
        name = str(rule.get("description") or f"priority {rule.get('rulePriority')}")
        if selection.get("countType") == "sinceImagePushed":
            return Expiry(pushed_at + timedelta(days=int(selection["countNumber"])), name)
        return Expiry(None, name)
    return None


def _selects(selection: Mapping[str, Any], tags: Sequence[str]) -> bool:
    status = selection.get("tagStatus", "any")
    if status == "any":
        return True
    if status == "untagged":
        return not tags
    patterns = [
        *(f"{prefix}*" for prefix in selection.get("tagPrefixList") or ()),
        *(selection.get("tagPatternList") or ()),
    ]
    return all(any(fnmatch.fnmatchcase(tag, pattern) for tag in tags) for pattern in patterns) if tags else False
