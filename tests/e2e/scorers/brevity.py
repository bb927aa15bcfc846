"""A team's own scorer: short answers are better; it cannot judge what is negative."""

LOW, HIGH = 0, 1


def score(case: dict[str, object], answer: str) -> float:
    """Return 1 for one letter, and less the longer the answer is."""
    if case["expected"] == ["negative"]:
        raise ValueError("I do not judge what is negative")
    return 1 / len(answer)
