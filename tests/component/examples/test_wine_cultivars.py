"""The example's scripts as plain processes on the real data, in folders as SageMaker lays them out."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.session import get_session
from sklearn.datasets import load_wine

from examples.wine_cultivars.features import COLUMNS, MEASUREMENTS, derive
from examples.wine_cultivars.workflow import BATCHES, HERE, TRAINING_CODE, Workflow, WorkflowError, archive, raw_batch
from hallmark.aws.gate_measurements import source_of_quality_report
from hallmark.gates.evidence import Evidence
from hallmark.gates.judging import judge
from hallmark.policy.document import read_policy

WINE = load_wine()


def run(script: str, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **variables}
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=280)


def succeed(script: str, *arguments: str | Path, **variables: str) -> str:
    done = run(script, *arguments, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def raw(folder: Path, batches: int) -> Path:
    folder.mkdir(parents=True)
    for batch in range(batches):
        (folder / f"batch-{batch + 1}.csv").write_text(raw_batch(batch), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepare, train, pack and evaluate; return the folder of all of it."""
    root = tmp_path_factory.mktemp("wine")
    succeed("prepare.py", "--input", raw(root / "raw", BATCHES), "--output", root / "prepared")
    channels = {f"SM_CHANNEL_{part.upper()}": str(root / "prepared" / part) for part in ("train", "validation")}
    log = succeed("train.py", "--n-estimators", "25", "--max-depth", "4", SM_MODEL_DIR=str(root / "model"), **channels)
    (root / "train.log").write_text(log, encoding="utf-8")
    (root / "artifact").mkdir()
    with tarfile.open(root / "artifact" / "model.tar.gz", "w:gz") as packed:
        packed.add(root / "model", arcname=".")
    succeed(
        "evaluate.py",
        *("--model", root / "artifact", "--test", root / "prepared" / "test", "--output", root / "evaluation"),
    )
    return root


def test_the_batches_together_are_the_data_that_scikit_learn_ships() -> None:
    rows = [row for batch in range(BATCHES) for row in csv.DictReader(io.StringIO(raw_batch(batch)))]
    measured = sorted(tuple(float(row[name]) for name in (*MEASUREMENTS, "cultivar")) for row in rows)

    assert measured == sorted((*row, float(label)) for row, label in zip(WINE.data.tolist(), WINE.target, strict=True))


def test_columns_are_named_as_in_scikit_learns_description() -> None:
    assert [name.replace("/", "_") for name in WINE.feature_names] == list(MEASUREMENTS)


def test_every_wine_is_in_exactly_one_part(shipped: Path) -> None:
    parts = [read(shipped / "prepared" / part / f"{part}.csv") for part in ("train", "validation", "test")]
    found = sorted(tuple(float(row[name]) for name in MEASUREMENTS) for part in parts for row in part)

    assert found == sorted(map(tuple, WINE.data.tolist()))
    assert all(len(part) >= 20 for part in parts)


def test_a_wine_stays_in_its_part_when_more_data_comes(shipped: Path, tmp_path: Path) -> None:
    succeed("prepare.py", "--input", raw(tmp_path / "raw", 2), "--output", tmp_path / "prepared")

    for part in ("train", "validation", "test"):
        before = {tuple(row.values()) for row in read(tmp_path / "prepared" / part / f"{part}.csv")}
        after = {tuple(row.values()) for row in read(shipped / "prepared" / part / f"{part}.csv")}
        assert before < after


def test_preparation_leaves_out_what_is_incomplete_or_repeated_and_reports_it(tmp_path: Path) -> None:
    folder = raw(tmp_path / "raw", 2)
    first = raw_batch(0).splitlines()
    broken = [first[0], first[1], first[2].replace(first[2].split(",")[3], "", 1)]
    (folder / "batch-9.csv").write_text("\n".join(broken), encoding="utf-8")

    report = json.loads(succeed("prepare.py", "--input", folder, "--output", tmp_path / "prepared"))

    assert report == json.loads((tmp_path / "prepared" / "report" / "preparation.json").read_text(encoding="utf-8"))
    assert report["left_out"] == {"repeated": 1, "incomplete": 1}
    assert report["rows"] == sum(part["rows"] for part in report["parts"].values()) == 119


def test_preparation_says_which_column_is_missing(tmp_path: Path) -> None:
    folder = raw(tmp_path / "raw", 1)
    (folder / "batch-9.csv").write_text("alcohol,ash\n1,2\n", encoding="utf-8")
    done = run("prepare.py", "--input", folder, "--output", tmp_path / "prepared")

    assert done.returncode == 1
    assert "batch-9.csv has no column malic_acid" in done.stderr


def test_preparation_of_nothing_fails_with_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()

    assert "no usable rows" in run("prepare.py", "--input", tmp_path / "raw", "--output", tmp_path / "out").stderr


def test_ratios_are_those_of_the_measurements_beside_them(shipped: Path) -> None:
    row = {name: float(value) for name, value in read(shipped / "prepared" / "test" / "test.csv")[0].items()}

    assert row["flavanoid_share"] == pytest.approx(row["flavanoids"] / row["total_phenols"])
    assert row["colour_per_hue"] == pytest.approx(row["color_intensity"] / row["hue"])
    assert list(row) == [*COLUMNS, "cultivar"]


def test_training_prints_each_metric_once_in_the_form_that_the_tuning_job_reads(shipped: Path) -> None:
    log = (shipped / "train.log").read_text(encoding="utf-8")
    metrics = _created("create_hyper_parameter_tuning_job")["TrainingJobDefinition"]["AlgorithmSpecification"]
    found = {entry["Name"]: re.findall(entry["Regex"], log) for entry in metrics["MetricDefinitions"]}

    assert all(len(values) == 1 for values in found.values())
    assert 0.8 < float(found["validation:accuracy"][0]) <= 1
    assert 0 < float(found["validation:log-loss"][0]) < 0.7


def test_the_same_training_gives_the_same_model(shipped: Path, tmp_path: Path) -> None:
    channels = {f"SM_CHANNEL_{part.upper()}": str(shipped / "prepared" / part) for part in ("train", "validation")}
    succeed("train.py", "--n-estimators", "25", "--max-depth", "4", SM_MODEL_DIR=str(tmp_path), **channels)

    assert (tmp_path / "model.pkl").read_bytes() == (shipped / "model" / "model.pkl").read_bytes()


def test_hyperparameters_reach_the_forest(shipped: Path, tmp_path: Path) -> None:
    channels = {f"SM_CHANNEL_{part.upper()}": str(shipped / "prepared" / part) for part in ("train", "validation")}
    arguments = ("--n-estimators", "11", "--max-depth", "3", "--min-samples-leaf", "4")
    succeed("train.py", *arguments, SM_MODEL_DIR=str(tmp_path), **channels)
    forest = pickle.loads((tmp_path / "model.pkl").read_bytes())  # noqa: S301 - made by the line above

    assert (len(forest.estimators_), forest.max_depth, forest.min_samples_leaf) == (11, 3, 4)


def test_the_evaluation_is_what_the_model_says_of_the_test_part(shipped: Path) -> None:
    report = json.loads((shipped / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    forest = pickle.loads((shipped / "model" / "model.pkl").read_bytes())  # noqa: S301 - made by this module
    rows = read(shipped / "prepared" / "test" / "test.csv")
    features = np.array([[float(row[name]) for name in COLUMNS] for row in rows])
    right = sum(int(row["cultivar"]) == found for row, found in zip(rows, forest.predict(features), strict=True))

    metrics = report["multiclass_classification_metrics"]
    assert report["dataset"]["item_count"] == len(rows)
    assert metrics["accuracy"]["value"] == pytest.approx(right / len(rows))
    assert metrics["accuracy"]["value"] > 0.85
    assert sum(count for row in metrics["confusion_matrix"].values() for count in row.values()) == len(rows)


def test_the_model_in_service_tells_cultivars_from_measurements_alone(shipped: Path) -> None:
    """As the inference toolkit does: the code in the archive, a body, a content type."""
    request = "\n".join(",".join(map(repr, row)) for row in WINE.data[::40].tolist())
    program = (
        "import sys; sys.path.insert(0, sys.argv[1] + '/code'); import inference as served;"
        "model = served.model_fn(sys.argv[1]);"
        "print(served.output_fn(served.predict_fn(served.input_fn(sys.argv[2], sys.argv[3]), model), sys.argv[3]))"
    )
    model = str(shipped / "model")
    done = [
        subprocess.run(
            [sys.executable, "-c", program, model, body, kind], capture_output=True, text=True, check=True, timeout=240
        ).stdout
        for body, kind in ((request, "text/csv"), (json.dumps(WINE.data[::40].tolist()), "application/json"))
    ]

    assert [int(line) for line in done[0].split()] == json.loads(done[1]) == WINE.target[::40].tolist()


def test_a_wine_with_too_few_measurements_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="a wine has 2 values: give the 13 of alcohol"):
        derive(np.array([[1.0, 2.0]]))


def test_the_code_archive_has_the_same_bytes_each_time_and_holds_what_serving_needs() -> None:
    packed = archive(HERE / name for name in TRAINING_CODE)

    assert packed == archive(HERE / name for name in TRAINING_CODE)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert sorted(tar.getnames()) == ["features.py", "inference.py", "train.py"]


# --- the requests of the workflow, against botocore's models of the services ---


class Recorder:
    """A session whose clients check each request as botocore does, and answer as the services would."""

    region_name = "us-east-1"

    def __init__(self, accuracy: float = 0.95) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.accuracy = accuracy

    def client(self, service: str) -> Any:
        client: Any = get_session().create_client(
            service, "us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        client.meta.events.register("before-call.*.*", self._answer)
        return client

    def _answer(self, params: dict[str, Any], model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        body = params["body"]
        request = json.loads(body) if isinstance(body, str | bytes) and body[:1] in ("{", b"{") else {}
        self.requests.append((model.name, request))
        arn = "arn:aws:sagemaker:us-east-1:111122223333"
        report = {
            "dataset": {"item_count": 36},
            "multiclass_classification_metrics": {"accuracy": {"value": self.accuracy}},
        }
        answers: dict[str, dict[str, Any]] = {
            "GetCallerIdentity": {"Account": "111122223333"},
            "GetObject": {"Body": io.BytesIO(json.dumps(report).encode())},
            "DescribeProcessingJob": {"ProcessingJobStatus": "Completed"},
            "DescribeHyperParameterTuningJob": {
                "HyperParameterTuningJobStatus": "Completed",
                "BestTrainingJob": {
                    "TrainingJobName": "best",
                    "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "validation:log-loss", "Value": 0.1},
                },
            },
            "DescribeTrainingJob": {
                "TrainingJobName": "best",
                "TrainingJobArn": f"{arn}:training-job/best",
                "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/best/output/model.tar.gz"},
            },
            "ListModelPackageGroups": {"ModelPackageGroupSummaryList": []},
            "CreateModelPackage": {"ModelPackageArn": f"{arn}:model-package/wine-cultivars/1"},
            "DescribeModelPackage": {"ModelPackageStatus": "Completed"},
            "ListEndpoints": {"Endpoints": []},
            "DescribeEndpoint": {"EndpointStatus": "InService"},
        }
        response = type("Response", (), {"status_code": 200, "headers": {}})()
        return response, answers.get(model.name, {})


def _shipped_by(recorder: Recorder) -> None:
    session: Any = recorder
    workflow = Workflow("arn:aws:iam::111122223333:role/SageMakerRole", say=lambda _line: None, session=session)
    workflow.ship(1, workflow.upload_raw(2))


def _created(operation: str) -> dict[str, Any]:
    recorder = Recorder()
    _shipped_by(recorder)
    wanted = operation.replace("_", "")
    return next(request for name, request in recorder.requests if name.lower() == wanted)


def test_every_request_of_the_workflow_is_valid_and_in_order() -> None:
    recorder = Recorder()
    _shipped_by(recorder)
    steps = [name for name, _ in recorder.requests if name.startswith(("Create", "Update"))]

    assert steps == [
        "CreateBucket",
        "CreateProcessingJob",
        "CreateHyperParameterTuningJob",
        "CreateProcessingJob",
        "CreateModelPackageGroup",
        "CreateModelPackage",
        "UpdateModelPackage",
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
    ]


def test_a_package_says_where_it_came_from_and_how_good_it_is() -> None:
    package = _created("create_model_package")

    assert package["MetadataProperties"]["GeneratedBy"].endswith(":training-job/best")
    assert re.fullmatch("[0-9a-f]{40}", package["MetadataProperties"].get("CommitId", "0" * 40))
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/evaluation/evaluation.json")
    assert package["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_model_that_is_not_good_enough_is_rejected_and_not_deployed() -> None:
    recorder = Recorder(accuracy=0.5)

    with pytest.raises(WorkflowError, match=r"below an accuracy of 0\.8: accuracy 0\.500 on 36 wines"):
        _shipped_by(recorder)
    names = [name for name, _ in recorder.requests]
    rejected = next(request for name, request in recorder.requests if name == "UpdateModelPackage")
    assert rejected["ModelApprovalStatus"] == "Rejected"
    assert "CreateEndpoint" not in names


def test_a_region_without_a_known_image_asks_for_one() -> None:
    session: Any = Recorder()
    session.region_name = "mars-north-1"

    with pytest.raises(WorkflowError, match=r"no scikit-learn image is known here for mars-north-1: .*--image"):
        Workflow("arn:aws:iam::111122223333:role/SageMakerRole", session=session)


# --- what a quality gate makes of it ---


def gated(report: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Judge a report by the local cloud's gate for staging."""
    made = datetime(2026, 5, 4, tzinfo=UTC)
    source = source_of_quality_report(report, uri="s3://b/evaluation.json", completed_at=made)
    gate = read_policy(HERE.parents[1] / "local" / "policy.yaml").gates.gates["wine-staging"]
    found = judge(gate, Evidence(model="m", model_name="wine", sources=(source,)), made)
    return found.outcome, {each.name: each.outcome for each in found.criteria}


def test_the_shipped_model_passes_the_local_gate(shipped: Path) -> None:
    report = json.loads((shipped / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    accuracy = report["counts"]["accuracy"]

    assert accuracy["successes"] / accuracy["cases"] == pytest.approx(
        report["multiclass_classification_metrics"]["accuracy"]["value"]
    )
    assert sum(group["cases"] for group in accuracy["groups"].values()) == report["dataset"]["item_count"]
    assert gated(report) == ("passed", {"accurate": "passed", "fair": "passed"})


def test_a_model_that_fails_one_cultivar_fails_the_local_gate(shipped: Path) -> None:
    report = json.loads((shipped / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    accuracy = report["counts"]["accuracy"]
    worst = accuracy["groups"]["cultivar 1"]
    accuracy["successes"] -= worst["successes"]
    worst["successes"] = 0

    outcome, criteria = gated(report)

    assert outcome == "failed"
    assert criteria["fair"] == "failed"


def test_a_report_on_a_handful_of_wines_decides_nothing(shipped: Path) -> None:
    report = json.loads((shipped / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    groups = {name: {"successes": 1, "cases": 1} for name in report["counts"]["accuracy"]["groups"]}
    report["counts"]["accuracy"] = {"successes": 3, "cases": 3, "groups": groups}

    assert gated(report)[0] == "inconclusive"
