"""Single numbers that come in: fractions, levels, whole numbers in range; the rest is refused by name.

Arrays are in ``inputs``: whoever needs no array need not wait for numpy.
"""

from __future__ import annotations

from hallmark.errors import InvalidInputError


def same_length(field: str, count: int, other: int, like: str) -> None:
    """Refuse a sequence that does not match another one.

    Raises:
        InvalidInputError: The lengths differ.
    """
    if count != other:
        raise InvalidInputError(
            field, f"{count} values", f"give one for each of the {other} of {like}, in the same order"
        )


def fraction(field: str, value: float) -> float:
    """Return a number strictly between 0 and 1.

    Raises:
        InvalidInputError: It is not.
    """
    if not 0 < value < 1:
        raise InvalidInputError(field, value, "give a number above 0 and below 1, e.g. 0.95 for 95 %")
    return float(value)


def positive(field: str, value: float) -> float:
    """Return a finite number above 0.

    Raises:
        InvalidInputError: It is not.
    """
    if not 0 < value < float("inf"):
        raise InvalidInputError(field, value, "give a finite number above 0")
    return float(value)


def whole(field: str, value: int, *, least: int = 0, most: int | None = None) -> int:
    """Return a whole number in range.

    Raises:
        InvalidInputError: It is not whole, or out of range.
    """
    if value != int(value) or value < least or (most is not None and value > most):
        upper = "" if most is None else f" and at most {most}"
        raise InvalidInputError(field, value, f"give a whole number of at least {least}{upper}")
    return int(value)


def level(field: str, value: float) -> float:
    """Return a level of significance.

    Raises:
        InvalidInputError: It is not above 0 and below ½.
    """
    if not 0 < value < 0.5:  # noqa: PLR2004 - beyond a half a test rejects what it finds likely
        raise InvalidInputError(field, value, "give a level above 0 and below 0.5, e.g. 0.05")
    return float(value)
