"""What a fact adds to SageMaker Lineage, from what AWS describes to the associations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import UnavailableError
from hallmark.lineage.mirroring import PATIENCE, Mirrored, NewArtifact, entity_name, mirror, plan_mirror, snapshot_uri
from hallmark.lineage.model import Fact, RecordedFact
from hallmark.lineage.recording import record_description
from tests.fakes.memory_lineage import MemoryBudget, MemoryLineage
from tests.fakes.memory_store import KnownContents, KnownImages, stored, surroundings

BEGUN = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
PREFIX = "arn:aws:sagemaker:eu-west-1:123456789012"
JOB = f"{PREFIX}:training-job/fit"
COMPONENT = f"{PREFIX}:experiment-trial-component/fit-aws-training-job"
PACKAGE = f"{PREFIX}:model-package/churn/3"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/train:1"
DIGEST = f"sha256:{'d' * 64}"
MODEL = "s3://data/out/fit/model.tar.gz"
CONTENTS = KnownContents({"s3://data/train": [stored("a.csv"), stored("b.csv")], MODEL: [stored("", "weights")]})


def fact_of(resource: str, arn: str, description: Mapping[str, Any], **tags: str) -> Fact:
    known = surroundings(contents=CONTENTS, images=KnownImages({IMAGE: DIGEST}))
    return record_description(resource, arn, description, known, tags=tags).fact


def training(**more: Any) -> Fact:
    tags = more.pop("tags", {})
    return fact_of(
        "training-job",
        JOB,
        {
            "TrainingJobName": "fit",
            "TrainingJobArn": JOB,
            "TrainingJobStatus": "Completed",
            "CreationTime": BEGUN,
            "LastModifiedTime": BEGUN + timedelta(minutes=9),
            "TrainingEndTime": BEGUN + timedelta(minutes=9),
            "AlgorithmSpecification": {"TrainingImage": IMAGE},
            "InputDataConfig": [
                {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://data/train/"}}}
            ],
            "ModelArtifacts": {"S3ModelArtifacts": MODEL},
            **more,
        },
        **tags,
    )


def digest_of(fact: Fact, uri: str) -> str:
    uses = [*fact.states[0].attributes.get("inputs", ()), *fact.states[0].attributes.get("outputs", ())]
    return str(next(use["digest"] for use in uses if use["uri"] == uri))


def run(
    fact: Fact, target: MemoryLineage, budget: MemoryBudget | None = None, *, after: timedelta = timedelta(0)
) -> Mirrored:
    return mirror(RecordedFact(fact=fact, recorded_at=BEGUN), target, budget or MemoryBudget(), BEGUN + after)


def own(*more: str) -> MemoryLineage:
    """Return what SageMaker makes by itself for the training job."""
    return MemoryLineage(f"component:{COMPONENT}", "s3://data/train/", MODEL, IMAGE, *more)


def test_a_training_job_adds_its_data_by_content_the_image_and_the_commit() -> None:
    fact = training(tags={"git_commit": "0123abc", "git_repository": "https://git.example/churn"})
    target = own()

    done = run(fact, target)

    train = snapshot_uri("s3://data/train", digest_of(fact, "s3://data/train"))
    model = snapshot_uri(MODEL, digest_of(fact, MODEL))
    image = f"{IMAGE.removesuffix(':1')}@{DIGEST}"
    commit = "git:https://git.example/churn@0123abc"
    assert target.linked() == {
        (train, "ContributedTo", COMPONENT),
        ("s3://data/train/", "DerivedFrom", train),
        (COMPONENT, "Produced", model),
        (MODEL, "DerivedFrom", model),
        (image, "ContributedTo", COMPONENT),
        (commit, "ContributedTo", COMPONENT),
    }
    assert done == Mirrored(artifacts=4, associations=6)
    made = {artifact.source_uri: artifact for artifact in target.made}
    assert made[train].type == "DataSet"
    assert made[train].properties["objects"] == "2"
    assert made[train].properties["digest"] == digest_of(fact, "s3://data/train")
    assert made[model].type == "Model"
    assert made[model].metadata["CommitId"] == "0123abc"
    assert made[commit].metadata == {"CommitId": "0123abc", "Repository": "https://git.example/churn"}
    assert re.search(r"#sha256=[0-9a-f]{64}$", train)


def test_a_repeat_adds_nothing_and_spends_nothing() -> None:
    target, budget = own(), MemoryBudget()
    run(training(), target, budget)
    spent = dict(budget.spent)

    again = run(training(), target, budget)

    assert again == Mirrored()
    assert budget.spent == spent
    assert spent == {"artifact": len(target.made), "association": len(target.associations)}


def test_two_jobs_that_read_the_same_content_share_its_artifact() -> None:
    other = PREFIX + ":experiment-trial-component/fit-2-aws-training-job"
    target = own(f"component:{other}")
    run(training(), target)
    before = len(target.made)
    second = {"TrainingJobName": "fit-2", "TrainingJobArn": f"{JOB}-2"}
    fact = fact_of("training-job", f"{JOB}-2", {**_described(), **second})

    run(fact, target)

    assert len(target.made) == before
    assert {end for source, _, end in target.linked() if "#sha256=" in source} == {COMPONENT, other}


def _described() -> dict[str, Any]:
    return {
        "TrainingJobStatus": "Completed",
        "CreationTime": BEGUN,
        "LastModifiedTime": BEGUN + timedelta(minutes=9),
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://data/train"}}}],
    }


def test_two_channels_with_the_same_content_are_one_association() -> None:
    twice = [
        {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": "s3://data/train"}}}
        for name in ("train", "test")
    ]
    plan = plan_mirror(training(InputDataConfig=twice, ModelArtifacts={}))

    assert len(plan.links) == 3


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Deleting", None])
def test_a_run_that_has_not_ended_adds_nothing(status: str | None) -> None:
    assert plan_mirror(training(TrainingJobStatus=status)).links == []


def test_an_endpoint_adds_nothing() -> None:
    arn = f"{PREFIX}:endpoint/live"
    description = {
        "EndpointName": "live",
        "EndpointArn": arn,
        "EndpointConfigName": "first",
        "EndpointStatus": "InService",
        "CreationTime": BEGUN,
        "LastModifiedTime": BEGUN,
    }

    assert plan_mirror(fact_of("endpoint", arn, description)).links == []


def test_a_child_of_a_tuning_job_leads_to_its_parent() -> None:
    tuning = f"{PREFIX}:hyper-parameter-tuning-job/search"
    target = own()

    run(training(TuningJobArn=tuning), target)

    assert (tuning, "AssociatedWith", COMPONENT) in target.linked()
    assert next(each.type for each in target.made if each.source_uri == tuning) == "HyperParameterTuningJob"


def test_a_feature_group_that_a_job_wrote_stands_behind_it() -> None:
    arn = f"{PREFIX}:processing-job/ingest"
    component = f"{PREFIX}:experiment-trial-component/ingest-aws-processing-job"
    description = {
        "ProcessingJobName": "ingest",
        "ProcessingJobArn": arn,
        "ProcessingJobStatus": "Completed",
        "CreationTime": BEGUN,
        "LastModifiedTime": BEGUN,
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "features", "FeatureStoreOutput": {"FeatureGroupName": "customers"}}]
        },
    }
    target = MemoryLineage(f"component:{component}")

    run(fact_of("processing-job", arn, description), target)

    assert target.linked() == {(component, "Produced", f"{PREFIX}:feature-group/customers")}


def test_a_package_leads_to_its_model_and_the_model_to_the_transform_job() -> None:
    model = f"{PREFIX}:model/churn"
    described = {
        "ModelName": "churn",
        "ModelArn": model,
        "CreationTime": BEGUN,
        "Containers": [{"ModelPackageName": PACKAGE}],
    }
    job = f"{PREFIX}:transform-job/score"
    component = f"{PREFIX}:experiment-trial-component/score-aws-transform-job"
    transform = {
        "TransformJobName": "score",
        "TransformJobArn": job,
        "TransformJobStatus": "Completed",
        "ModelName": "churn",
        "CreationTime": BEGUN,
        "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://elsewhere"}}},
    }
    target, budget = MemoryLineage(PACKAGE, f"component:{component}"), MemoryBudget()

    run(fact_of("model", model, described), target, budget)
    run(fact_of("transform-job", job, transform), target, budget)

    assert target.linked() == {(PACKAGE, "ContributedTo", model), (model, "ContributedTo", component)}
    assert budget.spent == {"artifact": 1, "association": 2}


def test_a_model_without_a_package_adds_nothing() -> None:
    model = f"{PREFIX}:model/churn"
    described = {
        "ModelName": "churn",
        "ModelArn": model,
        "CreationTime": BEGUN,
        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": MODEL},
    }

    assert plan_mirror(fact_of("model", model, described)).links == []


def package(**more: Any) -> Fact:
    return fact_of(
        "model-package",
        PACKAGE,
        {
            "ModelPackageArn": PACKAGE,
            "ModelPackageGroupName": "churn",
            "ModelPackageVersion": 3,
            "ModelPackageStatus": "Completed",
            "CreationTime": BEGUN,
            "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ImageDigest": DIGEST, "ModelDataUrl": MODEL}]},
            "MetadataProperties": {"CommitId": "0123abc"},
            **more,
        },
    )


def test_a_package_is_described_and_leads_to_the_content_of_its_model() -> None:
    target, budget = MemoryLineage(PACKAGE, MODEL), MemoryBudget()

    done = run(package(), target, budget)

    ((content, kind, end),) = target.linked()
    assert (content.startswith(f"{MODEL}#sha256="), kind, end) == (True, "ContributedTo", PACKAGE)
    assert target.properties[target.artifacts[PACKAGE]] == {
        "commit": "0123abc",
        "image_digest": DIGEST,
        "model_digest": content.partition("#")[2].replace("=", ":"),
    }
    assert done == Mirrored(artifacts=1, associations=1, described=1)
    assert run(package(), target, budget) == Mirrored()


def test_the_model_that_a_job_wrote_and_a_package_took_is_the_same_artifact() -> None:
    target = own(PACKAGE)
    run(training(), target)
    before = len(target.made)

    run(package(), target)

    assert len(target.made) == before


def test_a_package_that_is_not_made_yet_adds_nothing() -> None:
    plan = plan_mirror(package(ModelPackageStatus="Pending"))

    assert (plan.links, plan.described) == ([], None)


def test_what_sagemaker_has_not_made_yet_is_waited_for_before_anything_is_made() -> None:
    target, budget = MemoryLineage(f"component:{COMPONENT}", "s3://data/train/"), MemoryBudget()

    with pytest.raises(UnavailableError, match=r"model\.tar\.gz"):
        run(training(), target, budget, after=PATIENCE - timedelta(seconds=1))

    assert target.made == []
    assert budget.spent == {"artifact": 0, "association": 0}


def test_a_component_that_is_not_there_yet_is_waited_for_and_costs_no_association() -> None:
    target, budget = MemoryLineage("s3://data/train", MODEL), MemoryBudget()

    with pytest.raises(UnavailableError, match="aws-training-job"):
        run(training(), target, budget)

    assert budget.spent["association"] == len(target.associations)


def test_in_the_end_the_mirror_does_without_what_sagemaker_never_made() -> None:
    target, budget = MemoryLineage("s3://data/train"), MemoryBudget()

    done = run(training(), target, budget, after=PATIENCE)

    train = snapshot_uri("s3://data/train", digest_of(training(), "s3://data/train"))
    assert target.linked() == {("s3://data/train", "DerivedFrom", train)}
    assert done.skipped == 4
    assert budget.spent["association"] == 1


def test_a_failed_job_does_not_wait_for_outputs_that_it_never_wrote() -> None:
    target = MemoryLineage(f"component:{COMPONENT}", "s3://data/train")

    done = run(training(TrainingJobStatus="Failed"), target)

    assert done.skipped == 1
    assert (MODEL, "DerivedFrom") not in {(source, kind) for source, kind, _ in target.linked()}


def test_the_archive_of_script_mode_is_not_waited_for() -> None:
    contents = {**CONTENTS.listings, "s3://data/code.tar.gz": [stored("", "code")]}
    known = surroundings(contents=KnownContents(contents))
    described = {
        **_described(),
        "TrainingJobArn": JOB,
        "HyperParameters": {"sagemaker_submit_directory": '"s3://data/code.tar.gz"'},
    }
    fact = record_description("training-job", JOB, described, known).fact

    done = run(fact, own())

    assert (done.skipped, done.associations) == (1, 3)


@pytest.mark.parametrize(("artifacts", "associations"), [(0, 100), (1, 100), (100, 0), (100, 3), (2, 2)])
def test_the_budget_is_never_overspent(artifacts: int, associations: int) -> None:
    target, budget = own(), MemoryBudget(artifacts, associations)

    done = run(training(tags={"git_commit": "0123abc"}), target, budget)

    assert done.spent
    assert len(target.made) <= artifacts
    assert len(target.associations) <= associations
    assert budget.spent == {"artifact": len(target.made), "association": len(target.associations)}


@pytest.mark.parametrize("entity", ["artifact", "association"])
def test_the_limit_of_the_account_ends_the_mirror_without_a_retry(entity: str) -> None:
    limits: Any = {"artifact": 6_000, "association": 6_000, entity: 1}
    target, budget = own(), MemoryBudget()
    target._limits = limits

    done = run(training(), target, budget)

    assert done.spent
    assert budget.spent == {"artifact": len(target.made), "association": len(target.associations)}


_MODEL = botocore.session.get_session().get_service_model("sagemaker")
_CREATE: Any = _MODEL.operation_model("CreateArtifact").input_shape


@settings(max_examples=200, deadline=None)
@given(uri=st.text(min_size=1, max_size=300))
def test_every_name_is_one_that_sagemaker_takes(uri: str) -> None:
    shape = _CREATE.members["ArtifactName"]

    name = entity_name(uri)

    assert re.fullmatch(shape.metadata["pattern"], name)
    assert shape.metadata["min"] <= len(name) <= shape.metadata["max"]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (f"s3://data/train#sha256={'a1' * 32}", "train-a1a1a1a1a1a1"),
        (f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/train@{DIGEST}", "train-dddddddddddd"),
        (f"{PREFIX}:feature-group/customers", "customers"),
        ("git:https://git.example/churn@0123abc", "churn-0123abc"),
        ("///", "artifact"),
    ],
)
def test_a_name_says_what_it_stands_for(uri: str, name: str) -> None:
    assert entity_name(uri) == name


def test_what_is_made_fits_the_shapes_of_sagemaker() -> None:
    plan = plan_mirror(training(tags={"git_commit": "c" * 5000, "git_repository": "https://git.example/churn"}))
    made = [end for link in plan.links for end in (link.source, link.target) if isinstance(end, NewArtifact)]

    assert made
    for artifact in made:
        properties = _CREATE.members["Properties"]
        assert all(len(value) <= properties.value.metadata["max"] for value in artifact.properties.values())
        assert len(artifact.properties) <= 30
        for name, value in artifact.metadata.items():
            assert len(value) <= _CREATE.members["MetadataProperties"].members[name].metadata["max"]
