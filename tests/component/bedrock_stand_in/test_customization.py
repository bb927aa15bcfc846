from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

VADER = "hallmark.vader-sentiment-v1:0"
SAMPLE = Path(__file__).parents[2] / "payloads" / "aws" / "bedrock-model-customization-job-state-change.json"
PROMPT = "positive, negative or neutral?\n\nText: {}"
FAINT = "The food was ok, I liked the soup."


def examples() -> list[dict[str, Any]]:
    """People who call only the strongest words positive, and everything else neutral."""
    strong = ["I love it, it is the best!", "Wonderful, perfect, excellent!", "Amazing! I love love love it!"]
    faint = [FAINT, "It is fine.", "Nice enough.", "A good chair."]
    return [
        *({"prompt": PROMPT.format(text), "completion": "positive"} for text in strong),
        *({"prompt": PROMPT.format(text), "completion": " neutral"} for text in faint),
        {"prompt": PROMPT.format("Horrible, I hate it!"), "completion": "negative"},
    ]


def train(bedrock: Any, uri: str, name: str = "strict", **more: Any) -> dict[str, Any]:
    arn = bedrock.control.create_model_customization_job(
        **{
            "jobName": f"{name}-job",
            "customModelName": name,
            "roleArn": bedrock.role,
            "baseModelIdentifier": VADER,
            "trainingDataConfig": {"s3Uri": uri},
            "outputDataConfig": {"s3Uri": f"s3://{bedrock.bucket}/models"},
            "hyperParameters": {"epochCount": "1"},
            **more,
        }
    )["jobArn"]
    bedrock.finish(arn)
    job: dict[str, Any] = bedrock.control.get_model_customization_job(jobIdentifier=arn)
    return job


def test_a_tuned_model_answers_as_it_was_taught_and_its_base_as_before(bedrock: Any) -> None:
    validator = bedrock.put("valid.jsonl", examples()[:2])
    job = train(
        bedrock, bedrock.put("train.jsonl", examples()), validationDataConfig={"validators": [{"s3Uri": validator}]}
    )

    assert job["status"] == "Completed"
    assert job["trainingMetrics"]["trainingLoss"] == 0
    assert job["validationMetrics"] == [{"validationLoss": 0.0}]
    tuned = bedrock.deploy(job["outputModelArn"])
    assert bedrock.text(VADER, PROMPT.format(FAINT)) == "positive"
    assert bedrock.text(tuned, PROMPT.format(FAINT)) == "neutral"
    assert bedrock.service.faults.calls(job["outputModelArn"]).answered == 1


def test_the_custom_model_leads_back_to_its_job_and_data(bedrock: Any) -> None:
    job = train(bedrock, bedrock.put("train.jsonl", examples()))
    model = bedrock.control.get_custom_model(modelIdentifier="strict")

    assert (model["jobArn"], model["baseModelArn"]) == (job["jobArn"], job["baseModelArn"])
    assert model["trainingDataConfig"] == {"s3Uri": "s3://data/train.jsonl"}
    (summary,) = bedrock.control.list_custom_models(foundationModelArnEquals=job["baseModelArn"])["modelSummaries"]
    assert (summary["modelArn"], summary["modelStatus"]) == (model["modelArn"], "Active")
    (listed,) = bedrock.control.list_model_customization_jobs()["modelCustomizationJobSummaries"]
    assert listed["customModelArn"] == model["modelArn"]
    assert any(key.endswith("step_wise_training_metrics.csv") for key in bedrock.keys("models/"))


def test_conversations_teach_too(bedrock: Any) -> None:
    records = [
        {
            "schemaVersion": "bedrock-conversation-2024",
            "system": [{"text": "Answer positive, negative or neutral.\n"}],
            "messages": [
                {"role": "user", "content": [{"text": f"Text: {one['prompt'].rpartition('Text: ')[2]}"}]},
                {"role": "assistant", "content": [{"text": one["completion"]}]},
            ],
        }
        for one in examples()
    ]

    assert train(bedrock, bedrock.put("train.jsonl", records))["trainingMetrics"]["trainingLoss"] == 0


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "no training records"),
        (["{"], "line 1 of s3://data/train.jsonl is not JSON"),
        ([{"prompt": "Hello"}], "neither 'prompt' and 'completion'"),
        ([{"prompt": "Hello", "completion": "positive"}], "line 1 of s3://data/train.jsonl"),
        ([{"prompt": PROMPT.format("a"), "completion": "angry"}], "angry"),
    ],
)
def test_data_that_teaches_nothing_fails_the_job_with_the_reason(bedrock: Any, records: list[Any], reason: str) -> None:
    job = train(bedrock, bedrock.put("train.jsonl", records))

    assert job["status"] == "Failed"
    assert reason in job["failureMessage"]
    assert bedrock.control.list_custom_models()["modelSummaries"] == []


def test_the_end_is_told_in_the_shape_of_awss_sample(bedrock: Any) -> None:
    validator = bedrock.put("valid.jsonl", examples())
    validation = {"validators": [{"s3Uri": validator}]}
    train(bedrock, bedrock.put("train.jsonl", examples()), validationDataConfig=validation)
    train(bedrock, bedrock.put("bad.jsonl", ["{"]), "worse", validationDataConfig=validation)
    sample = json.loads(SAMPLE.read_text())["detail"]

    told = [entry["Detail"] for entry in bedrock.events()]
    assert [detail["jobStatus"] for detail in told] == ["InProgress", "Completed", "InProgress", "Failed"]
    assert set(told[1]) == set(sample) - {"failureMessage"}
    assert set(told[3]) == set(sample) - {"outputModelArn"}
    assert told[1]["validationDataConfig"] == {"s3Uri": validator}


def test_a_custom_model_is_called_by_its_deployment_and_not_by_its_own_arn(bedrock: Any) -> None:
    model = train(bedrock, bedrock.put("train.jsonl", examples()))["outputModelArn"]
    deployment = bedrock.deploy(model)

    with pytest.raises(ClientError, match="on-demand throughput"):
        bedrock.text(model, PROMPT.format("a"))
    assert bedrock.text(deployment, PROMPT.format("a")) in {"positive", "negative", "neutral"}
    assert bedrock.control.get_custom_model_deployment(customModelDeploymentIdentifier=deployment)["status"] == "Active"
    (listed,) = bedrock.control.list_custom_model_deployments(modelArnEquals=model)["modelDeploymentSummaries"]
    assert listed["customModelDeploymentArn"] == deployment


def test_a_deployment_that_was_deleted_answers_no_more(bedrock: Any) -> None:
    model = train(bedrock, bedrock.put("train.jsonl", examples()))["outputModelArn"]
    deployment = bedrock.deploy(model)

    bedrock.control.delete_custom_model_deployment(customModelDeploymentIdentifier="live")

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        bedrock.text(deployment, PROMPT.format("a"))
    assert bedrock.control.list_custom_model_deployments()["modelDeploymentSummaries"] == []


def test_what_does_not_exist_cannot_be_deployed(bedrock: Any) -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:custom-model/hallmark.vader-sentiment-v1/abcdefghijkl"

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        bedrock.deploy(arn)


def test_a_deleted_model_answers_no_more(bedrock: Any) -> None:
    arn = train(bedrock, bedrock.put("train.jsonl", examples()))["outputModelArn"]
    bedrock.control.delete_custom_model(modelIdentifier=arn)

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        bedrock.text(arn, PROMPT.format("a"))


@pytest.mark.parametrize("base", ["hallmark.likeness-judge-v1:0", "nobody.knows-this-v1"])
def test_models_that_cannot_be_taught_are_refused(bedrock: Any, base: str) -> None:
    with pytest.raises(ClientError):
        train(bedrock, "s3://data/train.jsonl", baseModelIdentifier=base)


def test_a_model_name_is_taken_once(bedrock: Any) -> None:
    uri = bedrock.put("train.jsonl", examples())
    train(bedrock, uri)

    with pytest.raises(ClientError, match="ConflictException"):
        train(bedrock, uri, jobName="another")


def test_tags_follow_the_model(bedrock: Any) -> None:
    job = train(bedrock, bedrock.put("train.jsonl", examples()), customModelTags=[{"key": "team", "value": "search"}])
    arn = job["outputModelArn"]
    bedrock.control.tag_resource(resourceARN=arn, tags=[{"key": "stage", "value": "test"}])
    bedrock.control.untag_resource(resourceARN=arn, tagKeys=["team"])

    tags = bedrock.control.list_tags_for_resource(resourceARN=arn)["tags"]
    assert tags == [{"key": "stage", "value": "test"}]


def test_invocation_logging_is_off_until_configured(bedrock: Any) -> None:
    assert "loggingConfig" not in bedrock.control.get_model_invocation_logging_configuration()
    config = {"s3Config": {"bucketName": bedrock.bucket, "keyPrefix": "bedrock"}, "textDataDeliveryEnabled": True}
    bedrock.control.put_model_invocation_logging_configuration(loggingConfig=config)
    assert bedrock.control.get_model_invocation_logging_configuration()["loggingConfig"] == config
    bedrock.control.delete_model_invocation_logging_configuration()
    assert "loggingConfig" not in bedrock.control.get_model_invocation_logging_configuration()
