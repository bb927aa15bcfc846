"""The datasets of ``local/policy.yaml``: real texts and translations, put where its suites look for them."""

from __future__ import annotations

from local.bedrock.published_corpora import json_lines, sentiment_cases, translation_cases
from local.cloud import LocalCloud

_CORPUS = "tweets"
_HOME_REGION = "us-east-1"
"""Its buckets have no location constraint (S3 API reference, CreateBucket)."""


def data_bucket(cloud: LocalCloud) -> str:
    """Return the bucket that ``local/policy.yaml`` names."""
    return f"hallmark-evaluation-data-{cloud.account}"


def put_datasets(cloud: LocalCloud, *, tweets: int | None = None, sentences: int | None = None) -> dict[str, int]:
    """Make the bucket and write the datasets into it; return how many cases each has, by key.

    Args:
        cloud: Where.
        tweets: Cases of ``tweets.jsonl`` at most; all 4,200 where it is left out.
        sentences: Cases of ``newstest2017.jsonl`` at most; all 3,004 where it is left out.

    Raises:
        CorpusUnavailableError: The texts are not on this machine yet, and could not be fetched.
    """
    datasets = {
        "tweets.jsonl": list(sentiment_cases(_CORPUS, tweets)),
        "newstest2017.jsonl": list(translation_cases(sentences)),
    }
    s3, bucket = cloud.client("s3"), data_bucket(cloud)
    place = {} if cloud.region == _HOME_REGION else {"LocationConstraint": cloud.region}
    s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
    for key, cases in datasets.items():
        s3.put_object(Bucket=bucket, Key=key, Body=json_lines(cases).encode())
    return {key: len(cases) for key, cases in datasets.items()}
