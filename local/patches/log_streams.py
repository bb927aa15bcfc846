"""CloudWatch Logs: FilterLogEvents reads the streams that ``logStreamNamePrefix`` names, and knows ``%expressions%``.

MiniStack ignores the prefix and answers with the lines of every stream; it takes a regular expression for a plain word.
Source: CloudWatch Logs API reference, FilterLogEvents; user guide, FilterAndPatternSyntax.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ministack.services import cloudwatch_logs

from local.patches.replacement import replace_function


def apply() -> None:
    """Mend it; a second time changes nothing."""
    replace_function(cloudwatch_logs, "_filter_log_events", ("data",), _by_prefix)
    replace_function(cloudwatch_logs, "_compile_filter_pattern", ("raw",), _by_expression)


def _by_prefix(original: Any) -> Any:
    def filter_log_events(data: Mapping[str, Any]) -> Any:
        prefix = data.get("logStreamNamePrefix")
        if prefix is None or data.get("logStreamNames"):
            return original(data)
        group = cloudwatch_logs._log_groups.get(cloudwatch_logs._resolve_log_group_name(data), {})
        names = [name for name in group.get("streams", {}) if name.startswith(prefix)]
        # No stream has the name of none: with an empty list, all would be read.
        return original({**data, "logStreamNames": names or [""]})

    return filter_log_events


def _by_expression(original: Any) -> Any:
    def compile_filter_pattern(raw: str) -> Any:
        whole = re.fullmatch(r"%(.+)%", raw.strip())
        if whole is None:
            return original(raw)
        expression = re.compile(whole[1])
        return lambda message: expression.search(message) is not None

    return compile_filter_pattern
