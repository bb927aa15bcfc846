from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from local.patches.replacement import EmulatorChangedError, replace_function, replace_method


def module() -> ModuleType:
    made = ModuleType("emulator")

    def add(left: int, right: int) -> int:
        return left + right

    made.add = add  # type: ignore[attr-defined]
    return made


def one_more(original: Any) -> Any:
    return lambda left, right: original(left, right) + 1


def test_a_function_is_replaced_once() -> None:
    emulator = module()

    for _ in range(2):
        replace_function(emulator, "add", ("left", "right"), one_more)

    assert emulator.add(1, 2) == 4


def test_a_function_that_changed_is_refused_with_the_remedy() -> None:
    with pytest.raises(EmulatorChangedError, match=r"emulator\.add takes .*'right'.* MiniStack 1\.5\.33"):
        replace_function(module(), "add", ("left",), one_more)


def test_a_function_that_is_gone_is_refused() -> None:
    with pytest.raises(EmulatorChangedError, match=r"emulator\.subtract is gone"):
        replace_function(module(), "subtract", (), one_more)


def test_a_method_is_replaced() -> None:
    class Counter:
        def count(self, by: int) -> int:
            return by

    replace_method(Counter, "count", ("self", "by"), lambda _original: lambda self, by: by * 2)

    assert Counter().count(3) == 6
