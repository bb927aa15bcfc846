"""Alerts that are no news while another one fires."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hallmark.alerts.matching import Labels, fits
from hallmark.alerts.settings import InhibitionRule


def can_inhibit(labels: Labels, rules: Sequence[InhibitionRule]) -> bool:
    """Tell whether an alert is a source of any rule."""
    return any(fits(rule.source, labels) for rule in rules)


def is_inhibited(labels: Labels, firing: Iterable[Labels], rules: Sequence[InhibitionRule]) -> bool:
    """Tell whether an alert is muted by one of those that fire.

    One that fits both sides of a rule is not muted by another one that fits both, nor by itself.
    """
    sources = list(firing)
    return any(fits(rule.target, labels) and any(_mutes(rule, source, labels) for source in sources) for rule in rules)


def _mutes(rule: InhibitionRule, source: Labels, target: Labels) -> bool:
    if not fits(rule.source, source) or source == target:
        return False
    if fits(rule.source, target) and fits(rule.target, source):
        return False
    return all(source.get(label, "") == target.get(label, "") for label in rule.equal)
