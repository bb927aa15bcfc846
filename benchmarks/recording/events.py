"""CPU and AWS calls per event of the recording handler, against a bare one; facts per second of its store.

The network is left out: botocore's clients do all of their work but sending. Both handlers run in a process of their
own, in turns, over batches of ten as SQS delivers them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.recording.cold_start import AS_DEPLOYED
from benchmarks.recording.workload import ACCOUNT, REGION

ROOT = Path(__file__).parents[2]


def costs_of_events() -> Iterator[dict[str, Any]]:
    """Measure in a process whose output nobody reads: the handler's log lines are part of its cost."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "lines.json"
        subprocess.run(
            [sys.executable, "-m", "benchmarks.recording.measured", str(report)],
            check=True,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": "none",
                "AWS_SECRET_ACCESS_KEY": "none",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "ACCOUNT_ID": ACCOUNT,
                "LINEAGE_TABLE_NAME": "lineage",
                "LINEAGE_BUCKET_NAME": "lineage",
                "DEAD_LETTER_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/dead-letters",
                "PERSON_TABLE_NAME": "people",
                "PERSON_INDEX_KEY_ID": "index",
                "PERSON_SEALING_KEY_ID": "sealing",
                "POWERTOOLS_SERVICE_NAME": "record_lineage",
                **AS_DEPLOYED,
            },
        )
        yield from json.loads(report.read_text())
