"""Customization jobs and custom models.

A fine-tuned sentiment model is its base model with decision thresholds fitted on the training records; it is really
better on texts of their kind. Sources: Bedrock API reference, CreateModelCustomizationJob, GetCustomModel; user guide,
"Prepare data for fine-tuning" (records of ``prompt`` and ``completion``, or conversations).

A custom model is called when it is deployed (``deployments``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.bedrock.contract import Call, Document, Operation, Question, ServiceError, invalid
from local.bedrock.foundation import (
    Foundation,
    JobFailedError,
    below,
    check_s3_uri,
    listed,
    new_identifier,
    raise_if_stopping,
    read_json_lines,
)
from local.bedrock.models.sentiment import SentimentModel, read_prompt
from local.sagemaker.jobs import JobRun
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.s3_files import upload_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

JOB, MODEL = "model-customization-job", "custom-model"
_PAGE, _MAX_PAGE = 100, 1000
_NOT_DESCRIBED = {"jobTags", "customModelTags", "customModelName", "baseModelIdentifier", "customModelKmsKeyId"}

Examples = list[tuple[str, str]]


class Customization:
    """Trains custom models and keeps them."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "CreateModelCustomizationJob": self._create,
            "GetModelCustomizationJob": self._get,
            "ListModelCustomizationJobs": self._list,
            "StopModelCustomizationJob": self._stop,
            "GetCustomModel": self._get_model,
            "ListCustomModels": self._list_models,
            "DeleteCustomModel": self._delete_model,
        }

    def _create(self, call: Call) -> Document:
        wanted = call.parameters
        base = self._foundation.inference.catalogue.foundation_model(wanted["baseModelIdentifier"])
        if not base.can_be_customized or wanted.get("customizationType", "FINE_TUNING") != "FINE_TUNING":
            raise invalid(f"{base.model_id} cannot be customized so: only sentiment models can, by FINE_TUNING.")
        if "s3Uri" not in wanted["trainingDataConfig"]:
            raise invalid("trainingDataConfig.s3Uri is missing: the local cloud trains on records on S3 alone.")
        for config in (wanted["trainingDataConfig"], wanted["outputDataConfig"]):
            check_s3_uri(config["s3Uri"])
        name = wanted["customModelName"]
        if any(model.name == name for model in self._foundation.store.of_kind(call, MODEL)):
            raise ServiceError("ConflictException", f"The custom model name {name} is taken: choose another one.")
        s3 = self._foundation.s3_for(call, JOB)

        def make() -> Resource:
            now = utc_now()
            description = {key: value for key, value in wanted.items() if key not in _NOT_DESCRIBED}
            description |= {
                "jobArn": call.arn(f"{JOB}/{base.model_id}/{new_identifier()}"),
                "outputModelName": name,
                "baseModelArn": call.foundation_model_arn(base.model_id),
                "status": "InProgress",
                "creationTime": now,
                "lastModifiedTime": now,
                "customizationType": "FINE_TUNING",
                "hyperParameters": wanted.get("hyperParameters", {}),
                "validationDataConfig": wanted.get("validationDataConfig", {"validators": []}),
            }
            return self._foundation.new_job(call, JOB, description["jobArn"], description, "jobTags")

        def start(job: Resource) -> None:
            self._foundation.run(
                job,
                lambda run: self._train(call, job, run, s3),
                lambda reason: {"status": "Failed", "failureMessage": reason, "endTime": utc_now()},
            )

        return {"jobArn": self._foundation.create_once(call, JOB, make, start)}

    def _get(self, call: Call) -> Document:
        return self._foundation.store.describe(self._foundation.find(call, JOB, call.parameters["jobIdentifier"]))

    def _list(self, call: Call) -> Document:
        jobs, token = listed(call, self._foundation.store.of_kind(call, JOB), _PAGE, _MAX_PAGE)
        return {"modelCustomizationJobSummaries": [_job_summary(job) for job in jobs]} | token

    def _stop(self, call: Call) -> Document:
        self._foundation.stop(self._foundation.find(call, JOB, call.parameters["jobIdentifier"]), ("InProgress",))
        return {}

    def _get_model(self, call: Call) -> Document:
        found = self._foundation.find(call, MODEL, call.parameters["modelIdentifier"])
        return self._foundation.store.describe(found)

    def _list_models(self, call: Call) -> Document:
        wanted = call.parameters
        base = wanted.get("baseModelArnEquals") or wanted.get("foundationModelArnEquals")
        kept = [
            model
            for model in self._foundation.store.of_kind(call, MODEL)
            if base in {None, model.description["baseModelArn"]}
            and wanted.get("modelStatus", "Active") == model.description["modelStatus"]
        ]
        models, token = listed(call, kept, _PAGE, _MAX_PAGE)
        return {"modelSummaries": [_model_summary(model) for model in models]} | token

    def _delete_model(self, call: Call) -> Document:
        model = self._foundation.find(call, MODEL, call.parameters["modelIdentifier"])
        self._foundation.inference.catalogue.remove_custom(model.arn)
        self._foundation.forget(model)
        return {}

    def _train(self, call: Call, job: Resource, run: JobRun, s3: S3Client) -> Mapping[str, Any]:
        described = job.description
        base = self._foundation.inference.catalogue.resolve(described["baseModelArn"], call).model
        if not isinstance(base, SentimentModel):
            raise JobFailedError(f"{described['baseModelArn']} cannot be customized")
        training = read_examples(s3, described["trainingDataConfig"]["s3Uri"])
        validation = [read_examples(s3, one["s3Uri"]) for one in described["validationDataConfig"]["validators"]]
        run.pause(self._foundation.settings.state_seconds)
        raise_if_stopping(run)
        tuned = base.fitted(training)
        raise_if_stopping(run)
        loss = tuned.error_rate(training)
        metrics: Document = {
            "trainingMetrics": {"trainingLoss": loss},
            "validationMetrics": [{"validationLoss": tuned.error_rate(examples)} for examples in validation],
        }
        folder = below(described["outputDataConfig"]["s3Uri"], f"{JOB}-{job.arn.rpartition('/')[2]}")
        table = f"step_number,epoch_number,training_loss\n0,0,{base.error_rate(training)}\n1,1,{loss}\n"
        upload_bytes(s3, table.encode(), below(folder, "training_artifacts", "step_wise_training_metrics.csv"))
        model_arn = self._add_model(call, job, tuned, metrics)
        return {"status": "Completed", "outputModelArn": model_arn, "endTime": utc_now(), **metrics}

    def _add_model(self, call: Call, job: Resource, tuned: SentimentModel, metrics: Document) -> str:
        described = job.description
        base_id = described["baseModelArn"].rpartition("/")[2]
        arn = call.arn(f"{MODEL}/{base_id.partition(':')[0]}/{new_identifier()}")
        model = Resource(
            kind=MODEL,
            name=described["outputModelName"],
            arn=arn,
            account=job.account,
            region=job.region,
            partition=job.partition,
            description={
                "modelArn": arn,
                "modelName": described["outputModelName"],
                "jobName": described["jobName"],
                "jobArn": job.arn,
                "baseModelArn": described["baseModelArn"],
                "customizationType": "FINE_TUNING",
                "hyperParameters": described["hyperParameters"],
                "trainingDataConfig": described["trainingDataConfig"],
                "validationDataConfig": described["validationDataConfig"],
                "outputDataConfig": described["outputDataConfig"],
                "creationTime": utc_now(),
                "modelStatus": "Active",
                **metrics,
            },
            tags={tag["key"]: tag["value"] for tag in call.parameters.get("customModelTags", ())},
        )
        if not self._foundation.store.add(model):
            raise JobFailedError(f"The custom model name {model.name} is taken by now")
        self._foundation.inference.catalogue.add_custom(arn, tuned)
        return arn


def read_examples(s3: S3Client, uri: str) -> Examples:
    """Return (text, label) of every training record.

    Raises:
        JobFailedError: There is none, or one is no question about a sentiment with its answer.
    """
    examples = []
    for number, record in read_json_lines(s3, uri):
        try:
            prompt, system, completion = _parts(record)
            text, _ = read_prompt(Question(prompt, system=system))
        except (KeyError, TypeError, IndexError) as error:
            raise JobFailedError(
                f"line {number} of {uri} has neither 'prompt' and 'completion' nor a conversation of 'messages'"
            ) from error
        except ServiceError as error:
            raise JobFailedError(f"line {number} of {uri}: {error.message}") from error
        examples.append((text, completion.strip().lower()))
    if not examples:
        raise JobFailedError(f"{uri} has no training records")
    return examples


def _parts(record: Mapping[str, Any]) -> tuple[str, str, str]:
    if "messages" not in record:
        return str(record["prompt"]), "", str(record["completion"])
    user, assistant = record["messages"][-2:]
    system = " ".join(block["text"] for block in record.get("system", ()))
    return user["content"][0]["text"], system, assistant["content"][0]["text"]


def _job_summary(job: Resource) -> Document:
    known = job.description
    summary: Document = {name: known[name] for name in _SUMMARISED if name in known}
    summary["customModelName"] = known["outputModelName"]
    return summary | ({"customModelArn": known["outputModelArn"]} if "outputModelArn" in known else {})


_SUMMARISED = (
    "jobArn",
    "baseModelArn",
    "jobName",
    "status",
    "lastModifiedTime",
    "creationTime",
    "endTime",
    "customizationType",
)


def _model_summary(model: Resource) -> Document:
    known = model.description
    base_name = known["baseModelArn"].rpartition("/")[2].partition(":")[0]
    names = ("modelArn", "modelName", "creationTime", "baseModelArn", "customizationType", "modelStatus")
    return {name: known[name] for name in names} | {"baseModelName": base_name, "ownerAccountId": model.account}
