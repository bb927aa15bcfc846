"""Numbers to the precision that their interval justifies."""

from __future__ import annotations

import math
from datetime import datetime

from hallmark.evaluation.comparison.report import Column, Comparison, Span
from hallmark.evaluation.metrics import Metric, MetricKind

_DIGITS_WITHOUT_INTERVAL = 4
_MOST_DECIMALS = 8
_SMALLEST_P = 1e-4
_MINUS = "\u2212"
NOTHING = "\u2013"
"""Where there is no number."""


class Scale:
    """How the values of one metric are written: rates in percent, others in their unit."""

    def __init__(self, *, is_rate: bool, unit: str = "") -> None:
        self.is_rate = is_rate
        self.unit = "%" if is_rate else unit

    @classmethod
    def of(cls, metric: Metric) -> Scale:
        """Return the scale of a metric."""
        return cls(is_rate=metric.kind is MetricKind.BINARY, unit=metric.unit)

    @classmethod
    def of_column(cls, column: Column) -> Scale:
        """Return the scale of a column of the matrix."""
        return cls(is_rate=column.is_rate, unit=column.unit)

    def shown(self, value: float) -> float:
        """Return a value as it is written: a rate times 100."""
        return 100 * value if self.is_rate else value

    def decimals(self, value: float, span: Span | None) -> int:
        """Return so many decimals that half the interval has two significant digits; four digits without an interval.

        Of an interval with an open end the other half counts.
        """
        halves = [] if span is None else [abs(end - value) for end in (span.low, span.high) if end is not None]
        half = max(halves, default=0.0)
        if half > 0:
            return _clamped(1 - math.floor(math.log10(self.shown(half))))
        magnitude = abs(self.shown(value))
        if magnitude == 0:
            return 0
        return _clamped(_DIGITS_WITHOUT_INTERVAL - 1 - math.floor(math.log10(magnitude)))

    def number(self, value: float | None, decimals: int, *, signed: bool = False) -> str:
        """Write a number without its unit."""
        if value is None:
            return NOTHING
        text = f"{self.shown(value):+,.{decimals}f}" if signed else f"{self.shown(value):,.{decimals}f}"
        if not any(digit in "123456789" for digit in text):
            text = text.lstrip("+-")  # a rounded zero has no sign
        return text.replace("-", _MINUS)

    def with_unit(self, text: str) -> str:
        """Write a number's unit after it."""
        if text == NOTHING or not self.unit:
            return text
        return f"${text}" if self.unit == "USD" else f"{text} {self.unit}"

    def value(self, value: float | None, span: Span | None = None) -> str:
        """Write a value with its unit."""
        return NOTHING if value is None else self.with_unit(self.number(value, self.decimals(value, span)))

    def interval(self, value: float, span: Span | None, *, signed: bool = False) -> str:
        """Write an interval without its unit."""
        if span is None:
            return NOTHING
        decimals = self.decimals(value, span)
        low, high = (
            ("?" if end is None else self.number(end, decimals, signed=signed)) for end in (span.low, span.high)
        )
        return f"{low} to {high}"

    def estimate(self, value: float | None, span: Span | None, *, signed: bool = False) -> str:
        """Write a value with its unit and its interval."""
        if value is None:
            return NOTHING
        text = self.number(value, self.decimals(value, span), signed=signed)
        text = f"{text} pp" if self.is_rate and signed else self.with_unit(text)
        return text if span is None else f"{text} ({self.interval(value, span, signed=signed)})"


def _clamped(decimals: int) -> int:
    return max(0, min(_MOST_DECIMALS, decimals))


def write_p(p_value: float | None) -> str:
    """Write a p-value: two digits, and no more zeros than anybody reads."""
    if p_value is None:
        return NOTHING
    if p_value < _SMALLEST_P:
        return "< 0.0001"
    return f"{p_value:.2g}" if p_value < 0.01 else f"{p_value:.2f}"  # noqa: PLR2004 - two digits either way


def write_percent(confidence: float) -> str:
    """Write a confidence: 95 %, 99.7 %."""
    return f"{round(100 * confidence, 1):g} %"


def write_share(part: int, whole: int) -> str:
    """Write a share of counts; never 100 % of less than all, nor 0 % of more than none."""
    if not whole:
        return NOTHING
    share = 100 * part / whole
    if part < whole:
        share = min(share, 99.9)
    if part > 0:
        share = max(share, 0.1)
    return f"{share:.1f} %" if 0 < part < whole else f"{share:.0f} %"


def write_time(at: datetime) -> str:
    """Write a time in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def write_usd(amount: float) -> str:
    """Write money: cents, or as many digits as small sums need."""
    if amount == 0 or amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.{max(2, 1 - math.floor(math.log10(amount)))}f}"


def write_effect(comparison: Comparison) -> str:
    """Write an effect size with its name."""
    if comparison.effect_size is None:
        return NOTHING
    return f"{comparison.effect_size:.2f}".replace("-", _MINUS)
