"""What lineage says to a gate: where a model came from, and whether something that watches it found drift."""

from __future__ import annotations

from hallmark.gates.criteria import DriftCriterion, LineageCriterion, Tag
from hallmark.gates.evidence import Evidence
from hallmark.gates.origins import LineageEvidence
from hallmark.gates.told import Told

_SHOWN = 5


def tell_lineage(criterion: LineageCriterion, evidence: Evidence) -> Told:
    """Say whether the model came from where it may come from: what is known to be wrong fails, doubt does not pass."""
    found = evidence.lineage
    if found is None:
        reasons = "; ".join(evidence.problems) or "lineage does not know it"
        return Told("inconclusive", f"where it came from is not known: {reasons}")
    wrong: list[str] = []
    doubts: list[str] = [] if found.complete else ["it has more ancestors than were looked at"]
    if criterion.approved is not None:
        _ask_approved(criterion.approved, found, wrong, doubts)
    if criterion.forbidden is not None:
        _ask_forbidden(criterion.forbidden, found, wrong, doubts)
    if criterion.image_digest:
        _ask_images(found, doubts)
    if criterion.committed:
        _ask_code(found, wrong, doubts)
    if wrong:
        return Told("failed", "; ".join(wrong))
    if doubts:
        return Told("inconclusive", "; ".join(doubts))
    trained = sum(snapshot.trained_on for snapshot in found.snapshots)
    return Told(
        "passed",
        f"{trained} datasets that it was trained on, {len(found.images_with_digest)} images and "
        f"{len(found.commits)} commits are as they must be",
    )


def _ask_images(found: LineageEvidence, doubts: list[str]) -> None:
    if found.images_without:
        doubts.append(
            f"the digest of {_named(found.images_without)} is not known: start jobs and register models by digest "
            "(…@sha256:…), or let lineage look it up (lineage.image_repositories, image_registries)"
        )
    elif not found.images_with_digest:
        doubts.append("no image is recorded")


def _ask_code(found: LineageEvidence, wrong: list[str], doubts: list[str]) -> None:
    if found.has_uncommitted:
        wrong.append("its code had changes that were not committed")
    elif not found.commits:
        doubts.append("no commit of its code is recorded")


def _ask_approved(tag: Tag, found: LineageEvidence, wrong: list[str], doubts: list[str]) -> None:
    trained = [snapshot for snapshot in found.snapshots if snapshot.trained_on]
    if not trained:
        doubts.append("nothing that it was trained on is recorded")
    lacking, unknown = [], []
    for snapshot in trained:
        if not snapshot.is_snapshot or snapshot.tags is None:
            unknown.append(snapshot.name)
        elif f"{tag.key}={tag.value}" not in snapshot.tags.on_all:
            lacking.append(snapshot.name)
    if lacking:
        wrong.append(f"trained on {_named(lacking)} without the tag {tag.key}={tag.value}")
    if unknown:
        doubts.append(f"whether {_named(unknown)} may be trained on is not known: no snapshot with readable tags")


def _ask_forbidden(tag: Tag, found: LineageEvidence, wrong: list[str], doubts: list[str]) -> None:
    wanted = f"{tag.key}={tag.value}"
    tainted = [each.name for each in found.snapshots if each.tags is not None and wanted in each.tags.on_any]
    unknown = [each.name for each in found.snapshots if each.tags is None]
    if tainted:
        wrong.append(f"{_named(tainted)} upstream with the tag {tag.key}={tag.value}")
    if unknown:
        doubts.append(f"the tags of {_named(unknown)} could not be read")


def tell_drift(criterion: DriftCriterion, evidence: Evidence) -> Told:
    """Say whether drift is open on what watches the model."""
    if evidence.monitors is None:
        reasons = "; ".join(evidence.problems) or "lineage does not know it"
        return Told("inconclusive", f"whether it drifts is not known: {reasons}")
    watched = {each.monitor for each in evidence.monitors}
    asked = [each for each in evidence.monitors if not criterion.monitors or each.monitor in criterion.monitors]
    still = [f"{each.monitor} on {each.subject}" for each in asked if each.is_open]
    if still:
        return Told("failed", f"drift is open: {_named(still)}", value=float(len(still)), threshold=0.0)
    absent = [name for name in criterion.monitors if name not in watched]
    if absent:
        return Told("inconclusive", f"{_named(absent)} has not looked at this model yet")
    if not asked:
        return Told("inconclusive", "no monitor watches it: add one to the section drift, or leave this criterion out")
    return Told("passed", f"no drift is open on {_named(sorted(watched))}", value=0.0, threshold=0.0)


def _named(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
