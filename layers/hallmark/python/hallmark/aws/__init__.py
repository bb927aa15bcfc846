"""The only code that talks to AWS."""

from __future__ import annotations

import gc

# A start makes some hundred thousand objects that all stay (modules, botocore's service models), and an event a few
# thousand that go by themselves. With Python's own numbers (700, 10, 10), looking for cycles among them took a seventh
# of the import of a function and a tenth of the CPU of an event (``benchmarks/recording``).
gc.set_threshold(20_000, 20, 20)
