from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.component.local_cloud.conftest import Workbench


def test_a_dead_letter_queue_knows_the_queues_that_send_to_it(workbench: Workbench) -> None:
    dead_letters, arn = workbench.queue()
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    sources = {workbench.queue(RedrivePolicy=redrive)[0] for _ in range(3)}
    workbench.queue()

    pages = workbench.sqs.get_paginator("list_dead_letter_source_queues").paginate(
        QueueUrl=dead_letters, PaginationConfig={"PageSize": 2}
    )

    found = [page["queueUrls"] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert {url for page in found for url in page} == sources


def test_a_queue_to_which_none_sends_has_no_sources(workbench: Workbench) -> None:
    assert workbench.sqs.list_dead_letter_source_queues(QueueUrl=workbench.queue()[0])["queueUrls"] == []


def test_a_queue_that_is_not_there_has_no_answer(workbench: Workbench) -> None:
    url, _ = workbench.queue()

    with pytest.raises(ClientError, match="does not exist"):
        workbench.sqs.list_dead_letter_source_queues(QueueUrl=f"{url}-gone")
