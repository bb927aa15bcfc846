"""Answers that are numbers, whatever stands around them and however they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Literal, NamedTuple

from pydantic import Field

from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import BestMatchScorer, ScorerSettings, binary, signature_of

_LARGEST_EXPONENT = 400
_MOST_DIGITS = 60
_PRECISION = 80
_NARROW_SPACES = "\u00a0\u2009\u202f"
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_MAGNITUDES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}

Mark = Literal["point", "comma"]
"""Which mark stands before decimals; the other one groups thousands."""


def _number_pattern(decimal: Mark) -> re.Pattern[str]:
    point, comma = (r"\.", ",") if decimal == "point" else (",", r"\.")
    groups = rf"\d{{1,3}}(?:[{comma}'’{_NARROW_SPACES}]\d{{3}})+(?!\d)"  # noqa: RUF001 - Swiss thousands
    return re.compile(
        rf"""
        (?<![\w{point}/])(?P<sign>[-+\u2212\u2013](?=[\d{point}$€£¥]))?[$€£¥]?\s?
        (?:
            (?:(?P<units>\d{{1,9}})[ ])?(?P<upper>\d{{1,18}})\s?[/\u2044]\s?(?P<lower>\d{{1,18}})(?![\d/])
          | (?P<whole>\d{{1,9}})?(?P<vulgar>[¼-¾⅐-⅞])
          | (?P<digits>(?:{groups}|\d+)(?:{point}\d+)?|{point}\d+)
            (?:[eE](?P<exponent>[-+]?\d{{1,6}})(?!\w)
              |\s?[x×*·]\s?10\s?(?:\^|\*\*)\s?[({{]?(?P<power>[-+\u2212]?\d{{1,6}})[)}}]?
              |\s?[x×*·]\s?10(?P<raised>[⁰¹²³⁴-⁹⁻⁺]{{1,7}}))?
        )
        (?:\s?(?P<magnitude>thousand|million|billion|trillion)s?\b)?
        (?P<percent>\s?(?:%|％|percent\b|per\ cent\b))?
        """,  # noqa: RUF001 - multiplication signs and full-width percent signs are what people write
        re.VERBOSE | re.IGNORECASE,
    )


_PATTERNS: dict[Mark, re.Pattern[str]] = {"point": _number_pattern("point"), "comma": _number_pattern("comma")}


class Number(NamedTuple):
    """A number of a text."""

    value: Decimal
    """Of "12 %", 12."""
    is_percent: bool

    @property
    def readings(self) -> tuple[Decimal, ...]:
        """What it may mean: of 12 %, 12 and 0.12."""
        return (self.value, self.value / 100) if self.is_percent else (self.value,)


def numbers_in(text: str, decimal: Mark = "point") -> Iterator[Number]:
    """Yield the numbers of a text, such as 1,234.5, -3, 3/4, 1 1/2, ½, 6.02e23, 6.02 x 10^23, 2.5 million and 12 %."""
    for found in _PATTERNS[decimal].finditer(text):
        value = _value_of(found, decimal)
        if value is not None:
            yield Number(value, found["percent"] is not None)


def _value_of(found: re.Match[str], decimal: Mark) -> Decimal | None:
    """Return what a number is worth; None for one that divides by 0 or is beyond all measure."""
    if found["vulgar"]:
        value = Decimal(found["whole"] or 0) + Decimal(str(unicodedata.numeric(found["vulgar"])))
    elif found["upper"]:
        if not int(found["lower"]):
            return None
        value = Decimal(found["units"] or 0) + Decimal(found["upper"]) / Decimal(found["lower"])
    else:
        point = "." if decimal == "point" else ","
        digits = "".join(letter for letter in found["digits"] if letter.isdecimal() or letter == point)
        raised = (found["raised"] or "").translate(_SUPERSCRIPTS)
        exponent = int((found["exponent"] or found["power"] or raised or "0").replace("\u2212", "-"))
        if len(digits) > _MOST_DIGITS or abs(exponent) > _LARGEST_EXPONENT:
            return None
        value = Decimal(digits.replace(",", ".")).scaleb(exponent)
    value = value.scaleb(_MAGNITUDES.get((found["magnitude"] or "").lower(), 0))
    return -value if found["sign"] in {"-", "\u2212", "\u2013"} else value


class NumericSettings(ScorerSettings):
    """A number, within a tolerance of the expected one."""

    absolute: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How far off it may be."""
    relative: float = Field(default=0.0, ge=0, lt=1)
    """How far off it may be, as a share of the expected number; the wider of the two counts."""
    take: Literal["last", "first", "only"] = "last"
    """Which number of an answer counts; with ``only``, an answer with several numbers is wrong."""
    decimal: Mark = "point"

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        return BestMatchScorer(
            binary("numeric", "Numeric answer"),
            self._is_near,
            signature_of("numeric", 1, abs=self.absolute, rel=self.relative, take=self.take, decimal=self.decimal),
        )

    def _is_near(self, answer: str, expected: str) -> float:
        with localcontext(prec=_PRECISION):
            wanted = list(numbers_in(expected, self.decimal))
            if len(wanted) != 1:
                raise ValueError(f"the expected answer {expected!r} is not one number")
            found = list(numbers_in(answer, self.decimal))
            if not found or (self.take == "only" and len(found) > 1):
                return 0.0
            return float(self._agree(found[0 if self.take == "first" else -1], wanted[0]))

    def _agree(self, given: Number, wanted: Number) -> bool:
        # A percent sign on one side only: "12 %" answers both "12" and "0.12".
        pairs = (
            [(given.value, wanted.value)]
            if given.is_percent == wanted.is_percent
            else [(one, other) for one in given.readings for other in wanted.readings]
        )
        return any(
            abs(one - other) <= max(Decimal(str(self.absolute)), Decimal(str(self.relative)) * abs(other))
            for one, other in pairs
        )
