"""The served models on the data that packages ship; what they reach is compared with figures published elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from sacrebleu.metrics.bleu import BLEU

from local.bedrock.models.translation import SYSTEMS
from local.bedrock.published_corpora import rated_texts, sentiment_cases, training_records, translation_cases, wmt17


def test_all_sixteen_systems_translated_every_sentence() -> None:
    found = wmt17()

    assert set(found.systems) == set(SYSTEMS)
    assert {len(lines) for lines in [*found.systems.values(), found.reference]} == {3004}


@pytest.mark.parametrize(
    ("corpus", "texts", "raters", "differing"),
    # The means of most of the tweets that the authors contrived are not those of the ratings beside them.
    [
        ("tweets", 4200, 20, 196),
        ("movie-reviews", 10605, 15, 0),
        ("product-reviews", 3708, 20, 0),
        ("editorials", 5190, 20, 0),
    ],
)
def test_every_text_has_the_ratings_that_its_mean_is_made_of(
    corpus: str, texts: int, raters: int, differing: int
) -> None:
    found = rated_texts(corpus)

    assert len({text.id for text in found}) == len(found) == texts
    assert min(len(text.ratings) for text in found) == raters
    means = [(sum(text.ratings) / len(text.ratings), text.mean) for text in found]
    assert sum(abs(own - published) >= 0.01 for own, published in means) == differing
    assert {text.label for text in found} == {"positive", "negative", "neutral"}


def test_a_model_answers_with_its_systems_own_translations(bedrock: Any) -> None:
    cases = list(translation_cases(200))

    for name in ("uedin-nmt", "promt-rule-based"):
        answers = [bedrock.text(f"hallmark.wmt17-{name}-v1:0", case["prompt"]) for case in cases]
        assert answers == list(wmt17().systems[name][:200])


def test_one_system_leads_and_two_are_alike() -> None:
    """MultEval's p-values against LIUM's system: 0.0001 for uedin-nmt, 0.94 for online-B (sacrebleu's own tests)."""
    metric = BLEU(tokenize="none", references=[list(wmt17().reference)])

    leader, alike, baseline = (
        metric.corpus_score(list(wmt17().systems[name]), None).score for name in ("uedin-nmt", "online-b", "lium-nmt")
    )

    assert leader > baseline + 1
    assert alike == pytest.approx(baseline, abs=0.1)


def test_a_sentence_that_is_not_named_is_not_translated(bedrock: Any) -> None:
    for prompt in ("Translate: hello", "[newstest2017:0000]", "[newstest2017:3005]"):
        with pytest.raises(bedrock.runtime.exceptions.ValidationException, match="newstest2017:3004"):
            bedrock.say("hallmark.wmt17-kit-v1:0", prompt)


def test_vader_is_better_than_textblob_on_tweets_as_people_rate_them(bedrock: Any) -> None:
    cases = list(sentiment_cases("tweets", 600))

    def share_right(model: str) -> float:
        right = sum(bedrock.text(model, case["prompt"]) in case["expected"] for case in cases)
        return right / len(cases)

    vader, textblob = (share_right(f"hallmark.{name}-sentiment-v1:0") for name in ("vader", "textblob"))
    assert vader > textblob + 0.05
    assert textblob > 0.45


def test_tuning_on_editorials_helps_on_editorials_that_were_not_seen(bedrock: Any) -> None:

    texts = rated_texts("editorials")
    seen, unseen = texts[::2], texts[1::2]
    uri = bedrock.put("train.jsonl", list(training_records(seen)))
    arn = bedrock.control.create_model_customization_job(
        jobName="editorials",
        customModelName="editorials",
        roleArn=bedrock.role,
        baseModelIdentifier="hallmark.vader-sentiment-v1:0",
        trainingDataConfig={"s3Uri": uri},
        outputDataConfig={"s3Uri": "s3://data/models"},
    )["jobArn"]
    bedrock.finish(arn)
    tuned = bedrock.deploy(bedrock.control.get_model_customization_job(jobIdentifier=arn)["outputModelArn"])
    records = list(training_records(unseen[:500]))

    def share_right(model: str) -> float:
        right = sum(bool(bedrock.text(model, one["prompt"]) == one["completion"]) for one in records)
        return right / len(records)

    assert share_right(tuned) > share_right("hallmark.vader-sentiment-v1:0") + 0.05
