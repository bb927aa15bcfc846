"""Functions as Lambda runs them: one module for each environment, with a context."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

FUNCTIONS = Path(__file__).parents[2] / "functions"


@dataclass(frozen=True)
class Context:
    """What a handler is told of its invocation."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:111122223333:function:function"
    aws_request_id: str = "request"
    remaining_seconds: float = 120

    def get_remaining_time_in_millis(self) -> int:
        return round(self.remaining_seconds * 1000)


def load_function(name: str) -> ModuleType:
    """Load a function's handler as a new execution environment does: nothing is cached yet."""
    spec = importlib.util.spec_from_file_location(f"{name}_handler", FUNCTIONS / name / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
