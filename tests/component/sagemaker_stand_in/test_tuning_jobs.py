from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


def definition(cloud: Any, **more: Any) -> dict[str, Any]:
    return {
        "AlgorithmSpecification": {
            "TrainingImage": cloud.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "score", "Regex": "score=(.*?);"}],
        },
        "RoleArn": cloud.role,
        "OutputDataConfig": {"S3OutputPath": f"s3://{cloud.bucket}/tuned"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }


def configuration(**more: Any) -> dict[str, Any]:
    return {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2", "4.5"]}]},
        **more,
    }


@pytest.fixture
def tune(cloud: Any) -> Any:
    """Start a tuning job; its children run a Python script in script mode."""
    program = (
        "import argparse\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('-x')\n"  # the toolkit gives names of one letter one hyphen
        "parser.add_argument('--wait')\n"
        "given = parser.parse_args()\n"
        "print('up', flush=True)\n"
        "while given.wait: pass\n"
        "if given.x == 'bad': raise SystemExit(1)\n"
        "print(f'score={-abs(float(given.x) - 3)};')\n"
    )
    code = cloud.put_archive("code.tar.gz", {"train.py": program})

    def start(
        name: str, config: dict[str, Any] | None = None, static: dict[str, str] | None = None, **more: Any
    ) -> None:
        hyperparameters = {"sagemaker_program": "train.py", "sagemaker_submit_directory": code, **(static or {})}
        more = more or {"TrainingJobDefinition": definition(cloud)}
        for each in [more.get("TrainingJobDefinition"), *more.get("TrainingJobDefinitions", [])]:
            if each is not None:
                each["StaticHyperParameters"] = hyperparameters
        cloud.client.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig=config or configuration(),
            Tags=[{"Key": "team", "Value": "rings"}],
            **more,
        )

    return start


def wait(cloud: Any, name: str) -> Any:
    return cloud.wait(
        lambda: cloud.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name),
        "HyperParameterTuningJobStatus", "Completed", "Failed", "Stopped",
    )  # fmt: skip


def children(cloud: Any, name: str, **more: Any) -> list[dict[str, Any]]:
    pages = cloud.client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, PaginationConfig={"PageSize": 2}, **more
    )
    return [child for answer in pages for child in answer["TrainingJobSummaries"]]


def test_a_grid_is_tried_by_training_jobs_and_the_best_is_told(cloud: Any, tune: Any) -> None:
    tune("grid")

    job = wait(cloud, "grid")

    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"] == {
        "Completed": 3, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0,
    }  # fmt: skip
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    best = job["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"x": "2"}
    assert best["FinalHyperParameterTuningJobObjectiveMetric"] == {
        "Type": "Maximize", "MetricName": "score", "Value": -1.0,
    }  # fmt: skip
    child = cloud.client.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert child["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert child["HyperParameters"]["_tuning_objective_metric"] == "score"
    assert cloud.client.list_tags(ResourceArn=child["TrainingJobArn"])["Tags"] == [{"Key": "team", "Value": "rings"}]


def test_the_children_are_listed_by_what_they_reached(cloud: Any, tune: Any) -> None:
    tune("grid")
    wait(cloud, "grid")

    found = children(cloud, "grid", SortBy="FinalObjectiveMetricValue", SortOrder="Descending")

    assert [child["TunedHyperParameters"]["x"] for child in found] == ["2", "4.5", "1"]
    assert [child["ObjectiveStatus"] for child in found] == ["Succeeded"] * 3
    assert [child["TrainingJobName"][:9] for child in children(cloud, "grid")] == [
        "grid-001-",
        "grid-002-",
        "grid-003-",
    ]


def test_smaller_is_better_where_the_objective_is_to_minimise(cloud: Any, tune: Any) -> None:
    tune("least", configuration(HyperParameterTuningJobObjective={"Type": "Minimize", "MetricName": "score"}))

    assert wait(cloud, "least")["BestTrainingJob"]["TunedHyperParameters"] == {"x": "1"}


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_random_points_are_as_many_as_wanted_and_the_same_for_the_same_seed(
    cloud: Any, tune: Any, strategy: str
) -> None:
    config = configuration(
        Strategy=strategy,
        RandomSeed=3,
        ResourceLimits={"MaxParallelTrainingJobs": 2, "MaxNumberOfTrainingJobs": 3},
        ParameterRanges={"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "6"}]},
    )
    for name in ("one", "two"):
        tune(name, config)
        wait(cloud, name)

    first, second = ([child["TunedHyperParameters"] for child in children(cloud, name)] for name in ("one", "two"))

    assert len(first) == 3
    assert first == second


def test_no_more_children_run_at_once_than_allowed(cloud: Any, tune: Any) -> None:
    tune("narrow", configuration(ResourceLimits={"MaxParallelTrainingJobs": 1}))
    wait(cloud, "narrow")

    statuses: dict[str, str] = {}
    most = 0
    for change in cloud.changes:
        if change.kind == "training-job":
            statuses[change.arn] = change.description["TrainingJobStatus"]
            most = max(most, sum(status == "InProgress" for status in statuses.values()))

    assert most == 1


def test_one_child_that_fails_does_not_fail_the_job_and_all_do(cloud: Any, tune: Any) -> None:
    values = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["bad", "3"]}]}
    tune("some", configuration(ParameterRanges=values))
    tune("none", configuration(ParameterRanges={"CategoricalParameterRanges": [{"Name": "x", "Values": ["bad"]}]}))

    some, none = wait(cloud, "some"), wait(cloud, "none")

    assert some["HyperParameterTuningJobStatus"] == "Completed"
    assert some["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert none["HyperParameterTuningJobStatus"] == "Failed"
    assert "BestTrainingJob" not in none
    assert "All training jobs failed" in none["FailureReason"]


def test_a_job_ends_when_the_target_is_reached(cloud: Any, tune: Any) -> None:
    values = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["3", "1", "2", "4"]}]}
    tune(
        "target",
        configuration(
            ParameterRanges=values,
            ResourceLimits={"MaxParallelTrainingJobs": 1},
            TuningJobCompletionCriteria={"TargetObjectiveMetricValue": -0.5},
        ),
    )

    assert wait(cloud, "target")["TrainingJobStatusCounters"]["Completed"] == 1


def test_a_job_ends_when_it_gets_no_better(cloud: Any, tune: Any) -> None:
    values = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["3", *"12456789"]}]}
    patience = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    tune(
        "patience",
        configuration(
            ParameterRanges=values,
            ResourceLimits={"MaxParallelTrainingJobs": 1},
            TuningJobCompletionCriteria=patience,
        ),
    )

    assert wait(cloud, "patience")["TrainingJobStatusCounters"]["Completed"] == 4


def test_several_definitions_are_tried_in_turn(cloud: Any, tune: Any) -> None:
    objective = {"Type": "Maximize", "MetricName": "score"}
    definitions = [
        definition(
            cloud,
            DefinitionName=name,
            TuningObjective=objective,
            HyperParameterRanges={"CategoricalParameterRanges": [{"Name": "x", "Values": values}]},
        )
        for name, values in (("near", ["3", "2"]), ("far", ["9"]))
    ]
    config = configuration()
    del config["HyperParameterTuningJobObjective"], config["ParameterRanges"]

    tune("several", config, TrainingJobDefinitions=definitions)

    assert wait(cloud, "several")["BestTrainingJob"]["TrainingJobDefinitionName"] == "near"
    assert [child["TrainingJobDefinitionName"] for child in children(cloud, "several")] == ["near", "far", "near"]


def test_stopping_a_job_stops_its_children(cloud: Any, tune: Any) -> None:
    tune("long", configuration(), {"wait": "1"})
    running = cloud.wait(
        lambda: {"n": str(len([c for c in children(cloud, "long") if c["TrainingJobStatus"] == "InProgress"]))},
        "n",
        "2",
    )
    assert running["n"] == "2"

    cloud.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")

    job = wait(cloud, "long")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert {child["TrainingJobStatus"] for child in children(cloud, "long")} == {"Stopped"}
    told = [c.description["HyperParameterTuningJobStatus"] for c in cloud.changes if "tuning" in c.kind]
    assert told == ["InProgress", "Stopping", "Stopped"]


def test_a_name_is_taken_until_the_job_is_deleted_and_its_children_stay(cloud: Any, tune: Any) -> None:
    tune("once")
    wait(cloud, "once")
    with pytest.raises(cloud.client.exceptions.ResourceInUse):
        tune("once")

    cloud.client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="once")

    with pytest.raises(cloud.client.exceptions.ResourceNotFound):
        cloud.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="once")
    assert len(cloud.client.list_training_jobs()["TrainingJobSummaries"]) == 3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"HyperParameterTuningJobObjective": None}, "HyperParameterTuningJobObjective"),
        (
            {
                "Strategy": "Random",
                "ParameterRanges": {"IntegerParameterRanges": [{"Name": "n", "MinValue": "9", "MaxValue": "1"}]},
            },
            "less than",
        ),
        (
            {"ParameterRanges": {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "9"}]}},
            "CategoricalParameterRanges alone",
        ),
        (
            {"ParameterRanges": {"CategoricalParameterRanges": [{"Name": "sagemaker_program", "Values": ["a"]}]}},
            "static and tuned",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(cloud: Any, tune: Any, config: dict[str, Any], words: str) -> None:
    given = {name: value for name, value in configuration(**config).items() if value is not None}

    with pytest.raises(ClientError) as refusal:
        tune("bad", given)

    assert words in refusal.value.response["Error"]["Message"]
