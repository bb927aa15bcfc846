"""A manifest has the request that made a job, pinned; what lineage does not know is a hole."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator

from hallmark.errors import InvalidInputError
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Candidates, ShowAnswer, ShowQuestion
from hallmark.lineage.reproduction.manifest import Manifest
from hallmark.lineage.reproduction.requests import OPERATIONS, ModelName, rebuild
from hallmark.lineage.reproduction.writing import Choices, write_manifest
from tests.fakes.recorded_jobs import (
    COMMIT,
    CONTENTS,
    DIGEST,
    IMAGE,
    PINNED,
    PROCESSING,
    REQUESTS,
    TAGS,
    TRAINING,
    TRANSFORM,
    TUNING,
    Recorded,
    kept,
)

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "reproduction-manifest.schema.json").read_text())
SAGEMAKER: Any = botocore.session.get_session().get_service_model("sagemaker")


def faults(operation: str, request: dict[str, Any]) -> str:
    """Return what botocore would not send."""
    return str(ParamValidator().validate(request, SAGEMAKER.operation_model(operation).input_shape).generate_report())


def recorded(
    kind: NodeKind, request: dict[str, Any] | None = None, tags: Any = TAGS, **more: Any
) -> tuple[Recorded, str]:
    account = Recorded()
    if kind is NodeKind.TRANSFORM_JOB:
        account.record_model("Wine-Model")
    return account, account.record(kind, request or REQUESTS[kind], tags, **more)


def manifest_of(account: Recorded, run: str, choices: Choices | None = None) -> Manifest:
    found = write_manifest(account.ask, run, choices)
    assert isinstance(found, Manifest)
    return found


def attributes_of(account: Recorded, run: str) -> dict[str, Any]:
    answer = account.ask(ShowQuestion(node=run))
    assert isinstance(answer, ShowAnswer)
    return answer.attributes


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_the_requests_of_these_tests_are_such_as_sagemaker_takes(kind: NodeKind) -> None:
    assert faults(OPERATIONS[kind].create, REQUESTS[kind]) == ""


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_every_member_that_describe_answers_is_put_together_again(kind: NodeKind) -> None:
    operation = OPERATIONS[kind]
    takes = SAGEMAKER.operation_model(operation.create).input_shape.members
    tells = SAGEMAKER.operation_model(operation.create.replace("Create", "Describe")).output_shape.members

    assert {*operation.members, operation.name} == set(takes) & set(tells)
    assert takes[operation.name].metadata["max"] == operation.name_length


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_the_request_that_made_a_job_is_the_one_that_is_put_together(kind: NodeKind) -> None:
    account, run = recorded(kind)

    rebuilt = rebuild(kind, attributes_of(account, run), model=ModelName("key", "Wine-Model"))

    asked = {name: value for name, value in REQUESTS[kind].items() if name != OPERATIONS[kind].name}
    assert rebuilt.request == asked
    assert rebuilt.holes == []


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_botocore_would_send_every_request_of_a_manifest(kind: NodeKind) -> None:
    account, run = recorded(kind)

    manifest = manifest_of(account, run)

    assert manifest.operation == OPERATIONS[kind].create
    assert manifest.request is not None
    assert faults(manifest.operation, manifest.request) == ""


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_a_manifest_keeps_to_its_documented_schema_and_is_the_same_each_time(kind: NodeKind) -> None:
    account, run = recorded(kind)

    first, again = (manifest_of(account, run).model_dump(mode="json") for _ in range(2))

    jsonschema.Draft202012Validator(SCHEMA).validate(first)
    assert first == again


def test_the_documented_schema_is_that_of_the_model() -> None:
    assert {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()} == SCHEMA


def test_a_training_job_reads_copies_of_its_versions_runs_its_image_by_digest_and_overwrites_nothing() -> None:
    account, run = recorded(NodeKind.TRAINING_JOB)

    manifest = manifest_of(account, run)

    request = manifest.request
    assert request is not None
    pins = {pinned.role: pinned for pinned in manifest.data}
    place = "s3://bucket/hallmark-reproductions"
    assert [each["DataSource"]["S3DataSource"]["S3Uri"] for each in request["InputDataConfig"]] == [
        pins["train"].staged_uri,
        pins["extra"].staged_uri,
    ]
    assert pins["train"].staged_uri == f"{place}/data/{str(pins['train'].digest).removeprefix('sha256:')}/train"
    assert pins["train"].versions == (("train.csv", "v3", "etag:rows", 4),)
    assert request["HyperParameters"]["sagemaker_submit_directory"] == f'"{pins["code"].staged_uri}"'
    assert request["AlgorithmSpecification"]["TrainingImage"] == PINNED
    assert request["OutputDataConfig"]["S3OutputPath"] == f"{place}/runs/wine-train/models"
    assert request["CheckpointConfig"]["S3Uri"] == f"{place}/runs/wine-train/checkpoints"
    assert "ExperimentConfig" not in request
    assert {"Key": "hallmark:reproduces", "Value": manifest.run.key} in request["Tags"]
    assert {"Key": "team", "Value": "wine"} in request["Tags"]


def test_a_manifest_names_code_seed_and_what_the_run_came_to() -> None:
    account, run = recorded(NodeKind.TRAINING_JOB)

    manifest = manifest_of(account, run)

    assert (manifest.code.repository, manifest.code.commit) == ("https://example.com/wine.git", COMMIT)
    assert manifest.code.dirty is False
    assert manifest.seed is not None
    assert (manifest.seed.name, manifest.seed.value) == ("seed", "7")
    assert manifest.expected.metrics == {"validation:loss": 0.25}
    assert {output.role for output in manifest.expected.outputs} == {"model", "checkpoints"}
    assert manifest.image is not None
    assert (manifest.image.uri, manifest.image.digest) == (IMAGE, DIGEST)
    assert manifest.holes == ()


@pytest.mark.parametrize(
    ("kind", "seed"),
    [(NodeKind.PROCESSING_JOB, ("seed", "11")), (NodeKind.TUNING_JOB, ("RandomSeed", "5"))],
)
def test_a_seed_may_be_an_argument_or_the_tuning_jobs_own(kind: NodeKind, seed: tuple[str, str]) -> None:
    account, run = recorded(kind)

    manifest = manifest_of(account, run)

    assert manifest.seed is not None
    assert (manifest.seed.name, manifest.seed.value) == seed


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_every_difference_from_the_first_request_is_told(kind: NodeKind) -> None:
    account, run = recorded(kind)

    manifest = manifest_of(account, run)

    assert manifest.request is not None
    undone = json.dumps({name: value for name, value in manifest.request.items() if name != "Tags"})
    for change in manifest.changes:
        if isinstance(change.after, str):
            undone = undone.replace(json.dumps(change.after), json.dumps(change.before))
    told = {
        **json.loads(undone),
        **{change.field: change.before for change in manifest.changes if change.after is None},
    }
    name = OPERATIONS[kind].name
    assert {**told, name: None} == {**REQUESTS[kind], name: None}


def test_a_source_that_was_not_listed_is_a_hole_and_read_as_it_is() -> None:
    account = Recorded({uri: listed for uri, listed in CONTENTS.items() if uri != "s3://bucket/extra"})
    run = account.record(NodeKind.TRAINING_JOB, TRAINING, TAGS)

    manifest = manifest_of(account, run)

    (hole,) = manifest.holes
    assert hole.what == "the content of extra (s3://bucket/extra)"
    assert "NoSuchBucket" in hole.why
    assert "data_buckets" in hole.remedy
    assert manifest.request is not None
    assert manifest.request["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://bucket/extra"


def test_a_bucket_without_versions_is_a_hole() -> None:
    account = Recorded({**CONTENTS, "s3://bucket/extra": [kept("more.csv", "more")]})

    manifest = manifest_of(account, account.record(NodeKind.TRAINING_JOB, TRAINING, TAGS))

    assert [hole.what for hole in manifest.holes] == ["versions of extra (s3://bucket/extra)"]


def test_a_partial_listing_pins_nothing() -> None:
    account = Recorded(
        {**CONTENTS, "s3://bucket/extra": [kept(f"{n}.csv", str(n), "v") for n in range(4)]}, object_limit=3
    )

    manifest = manifest_of(account, account.record(NodeKind.TRAINING_JOB, TRAINING, TAGS))

    extra = next(pinned for pinned in manifest.data if pinned.role == "extra")
    assert (extra.complete, extra.staged_uri) == (False, None)
    assert [hole.what for hole in manifest.holes] == ["all objects of extra (s3://bucket/extra)"]


def test_a_tag_whose_digest_is_not_known_is_a_hole_and_not_made_up() -> None:
    account = Recorded(digests={})

    manifest = manifest_of(account, account.record(NodeKind.TRAINING_JOB, TRAINING, TAGS))

    assert manifest.image is not None
    assert manifest.image.pinned is None
    assert manifest.request is not None
    assert manifest.request["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    assert [hole.what for hole in manifest.holes] == ["the image's digest"]


def test_what_nothing_tells_of_code_and_seed_is_a_hole_each() -> None:
    request = copy.deepcopy(PROCESSING)
    request["AppSpecification"]["ContainerArguments"] = ["--verbose"]
    account, run = recorded(NodeKind.PROCESSING_JOB, request, tags=())

    manifest = manifest_of(account, run)

    assert [hole.what for hole in manifest.holes] == ["the commit", "the seed"]
    assert manifest.seed is None
    assert manifest.code.dirty is None


def test_a_credential_is_a_hole_without_which_there_is_no_request_until_it_is_given() -> None:
    request = copy.deepcopy(TRAINING)
    request["Environment"]["API_TOKEN"] = "very-secret"
    account, run = recorded(NodeKind.TRAINING_JOB, request)

    without = manifest_of(account, run)
    given = manifest_of(account, run, Choices(values={"Environment.API_TOKEN": "very-secret"}))

    assert without.request is None
    (hole,) = without.holes
    assert hole.blocking
    assert "--set Environment.API_TOKEN=VALUE" in hole.remedy
    assert "very-secret" not in without.model_dump_json()
    assert given.request is not None
    assert given.request["Environment"]["API_TOKEN"] == "very-secret"


def test_a_transform_job_of_a_model_that_nobody_recorded_has_no_request() -> None:
    account = Recorded()
    run = account.record(NodeKind.TRANSFORM_JOB, TRANSFORM, TAGS)

    manifest = manifest_of(account, run)

    assert manifest.request is None
    assert [hole.what for hole in manifest.holes if hole.blocking] == ["the model's name"]


def test_several_training_definitions_have_no_request() -> None:
    request = copy.deepcopy(TUNING)
    definition = request.pop("TrainingJobDefinition")
    request["TrainingJobDefinitions"] = [{**definition, "DefinitionName": name} for name in ("one", "two")]
    account = Recorded()
    answer = {"TrainingJobDefinition": copy.deepcopy(definition), **request}
    run = account.record(NodeKind.TUNING_JOB, answer, TAGS)

    manifest = manifest_of(account, run)

    assert manifest.request is None
    assert "the training definitions" in [hole.what for hole in manifest.holes if hole.blocking]


def test_a_list_of_objects_is_pinned_but_not_what_it_lists() -> None:
    request = copy.deepcopy(TRAINING)
    request["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3DataType"] = "ManifestFile"
    account, run = recorded(NodeKind.TRAINING_JOB, request)

    manifest = manifest_of(account, run)

    (hole,) = manifest.holes
    assert "of a ManifestFile the list is pinned" in hole.why


def test_names_and_places_may_be_chosen() -> None:
    account, run = recorded(NodeKind.TRAINING_JOB)

    manifest = manifest_of(account, run, Choices(name="mine", staging="s3://other/here/"))

    assert manifest.request is not None
    assert manifest.request["TrainingJobName"] == "mine"
    assert manifest.data[0].staged_uri is not None
    assert manifest.data[0].staged_uri.startswith("s3://other/here/data/")


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_the_longest_name_leaves_room_for_the_ending(kind: NodeKind) -> None:
    operation = OPERATIONS[kind]
    longest = "n" * operation.name_length
    account, run = recorded(kind, {**REQUESTS[kind], operation.name: longest})

    manifest = manifest_of(account, run)

    assert manifest.request is not None
    assert manifest.request[operation.name] != longest
    assert faults(manifest.operation, manifest.request) == ""


def test_a_name_that_sagemaker_would_not_take_is_refused_with_a_remedy() -> None:
    account, run = recorded(NodeKind.TRAINING_JOB)

    with pytest.raises(InvalidInputError, match="letters, digits and hyphens"):
        manifest_of(account, run, Choices(name="not_this"))


@pytest.mark.parametrize(
    "path", ["InputDataConfig", "HyperParameters", "RoleArn.name", "InputDataConfig[9].ChannelName"]
)
def test_a_value_without_a_place_in_the_request_is_refused(path: str) -> None:
    account, run = recorded(NodeKind.TRAINING_JOB)

    with pytest.raises(InvalidInputError, match="--set"):
        manifest_of(account, run, Choices(values={path: "x"}))


def test_what_is_no_job_is_refused_and_what_is_unknown_gets_candidates() -> None:
    account, _ = recorded(NodeKind.TRAINING_JOB)

    with pytest.raises(InvalidInputError, match="training-job"):
        write_manifest(account.ask, "s3://bucket/extra")
    assert isinstance(write_manifest(account.ask, "nothing-like-it"), Candidates)


def test_an_output_into_a_feature_group_is_left_out_and_said() -> None:
    request = copy.deepcopy(PROCESSING)
    feature_store = {"OutputName": "features", "AppManaged": True, "FeatureStoreOutput": {"FeatureGroupName": "wine"}}
    request["ProcessingOutputConfig"]["Outputs"].insert(1, feature_store)
    account, run = recorded(NodeKind.PROCESSING_JOB, request)

    manifest = manifest_of(account, run)

    assert manifest.request is not None
    names = [output["OutputName"] for output in manifest.request["ProcessingOutputConfig"]["Outputs"]]
    assert names == ["train", "test"]
    (hole,) = manifest.holes
    assert "feature-group/wine" in hole.what


def test_a_query_runs_again_into_a_place_of_its_own_and_is_a_hole() -> None:
    request = copy.deepcopy(PROCESSING)
    query = {
        "Catalog": "lake",
        "Database": "wine",
        "QueryString": "select 1",
        "OutputS3Uri": "s3://bucket/extra",
        "OutputFormat": "PARQUET",
    }
    definition = {"LocalPath": "/opt/ml/processing/q", "AthenaDatasetDefinition": query}
    request["ProcessingInputs"].append({"InputName": "asked", "DatasetDefinition": definition})
    account, run = recorded(NodeKind.PROCESSING_JOB, request)

    manifest = manifest_of(account, run)

    assert manifest.request is not None
    assert faults(manifest.operation, manifest.request) == ""
    asked = manifest.request["ProcessingInputs"][2]["DatasetDefinition"]["AthenaDatasetDefinition"]
    assert asked == {**query, "OutputS3Uri": "s3://bucket/hallmark-reproductions/runs/wine-prepare/query-asked"}
    assert "what the query of asked answered" in [hole.what for hole in manifest.holes]


def test_so_many_tags_that_none_fits_besides_are_cut_and_named() -> None:
    tags = [*TAGS, *({"Key": f"tag-{number:02}", "Value": "x"} for number in range(50 - len(TAGS)))]
    account, run = recorded(NodeKind.TRAINING_JOB, tags=tags)

    manifest = manifest_of(account, run)

    assert manifest.request is not None
    assert len(manifest.request["Tags"]) == 50
    (cut,) = [change for change in manifest.changes if change.field == "Tags"]
    assert len(str(cut.before).split(", ")) == 1
