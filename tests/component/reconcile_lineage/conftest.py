"""One account with a past for all tests, which read it or begin with a record of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.stand_in_account import StandInAccount, stand_in_account


def live_through(account: StandInAccount) -> None:
    """From raw data to an endpoint: processing, training that succeeds and fails, tuning, a pipeline, a deployment."""
    account.put("raw/a.csv", "1,2\n")
    copy = "cp /opt/ml/processing/input/* /opt/ml/processing/output/"
    account.process("split", copy, "s3://data/raw", "s3://data/split")
    model = account.train("fit", "s3://data/split", Tags=[{"Key": "git_commit", "Value": "0123abc"}])
    account.train("fail", "s3://data/split", script="echo broken >&2; exit 3")
    account.tune("search", "s3://data/split", "1", "2")
    account.run_pipeline("nightly", "s3://data/split")
    account.client.create_model_package_group(ModelPackageGroupName="churn")
    package = account.register(model, approval="PendingManualApproval")
    account.approve(package)
    account.make_model("churn-1", package)
    account.deploy("live", "churn-1")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInAccount]:
    scratch: Path = tmp_path_factory.mktemp("scratch")
    with pytest.MonkeyPatch.context() as patch, stand_in_account(scratch, patch) as made:
        live_through(made)
        yield made
