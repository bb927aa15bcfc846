"""The only code that talks to AWS."""

from __future__ import annotations

import gc

# A start makes less than a hundred thousand objects, which all stay (modules, botocore's service models), and an event
# a few thousand that go by themselves. With Python's own numbers (700, 10, 10), looking for cycles among them took a
# seventh of the import of a function and a tenth of the CPU of an event (``benchmarks/recording``); with these, nothing
# is looked for before a start is over.
gc.set_threshold(100_000, 20, 20)
