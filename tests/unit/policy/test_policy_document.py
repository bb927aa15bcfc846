from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hallmark.evaluation.cases import Case
from hallmark.evaluation.results import Answer
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.policy.document import PolicyError, read_policy
from hallmark.policy.models import Policy

ROOT = Path(__file__).parents[3]


def written(folder: Path, text: str) -> Path:
    path = folder / "hallmark.yaml"
    path.write_text(text)
    return path


def test_the_policy_that_is_shipped_says_the_defaults_and_shows_a_suite() -> None:
    shipped = read_policy(ROOT / "hallmark.yaml")

    assert shipped.lineage == Policy().lineage
    assert shipped.evaluation.suites


MODELS = "evaluation:\n  models: {a: {model_id: m}, b: {model_id: n}}\n  datasets: {d: {location: s3://b/d.jsonl}}\n"
SUITE = MODELS + "  suites:\n    s:\n      model_variants: [a, b]\n      datasets: [d]\n      scorers: [exact_match]\n"


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read_policy(written(tmp_path, "")) == Policy()


def test_a_duration_is_written_as_people_say_it(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, "lineage: {reconciliation: {every: 90 minutes}}"))

    assert policy.lineage.reconciliation.every == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("text", "line", "field", "remedy"),
    [
        ("lineage:\n  mirror:\n    delay: 3 fortnights\n", 3, "lineage.mirror.delay", "15 minutes"),
        ("lineage:\n  snapshots: {}\n", 2, "lineage.snapshots", "remove it or correct its name"),
        ("lineage:\n  data_buckets:\n    - fine\n    - 'No!'\n", 4, "lineage.data_buckets.1", "a bucket's name"),
        ("lineage:\n  mirror:\n    artifacts: 7000\n", 3, "lineage.mirror.artifacts", "6000"),
        ("lineage: [1, 2]\n", 1, "lineage", "dictionary"),
        (SUITE, 5, "evaluation.suites.s", "needs a champion"),
        (SUITE + "      champion: c\n", 5, "evaluation.suites.s", "add it there"),
        (SUITE + "      champion: a\n      frequency: daily\n", 10, "evaluation.suites.s.frequency", "rate(1 day)"),
        (
            SUITE + "      champion: a\n      time_zone: Mars/Olympus\n",
            10,
            "evaluation.suites.s.time_zone",
            "Europe/Paris",
        ),
        (
            SUITE.replace("exact_match", "exakt_match") + "      champion: a\n",
            8,
            "evaluation.suites.s.scorers[0]",
            "exact_match",
        ),
        (SUITE + "      champion: a\n      budget: {usd: 0}\n", 10, "evaluation.suites.s.budget.usd", "greater than 0"),
        (
            SUITE.replace("[d]", "[e]") + "      champion: a\n",
            1,
            "evaluation",
            "names 'e', which datasets does not have",
        ),
        (
            SUITE + "      champion: a\n      comparison: {primary: bleu}\n",
            10,
            "evaluation.suites.s.comparison.primary",
            "exact_match",
        ),
        (
            SUITE + "      champion: a\n      judge: {models: [a], rubric: kindness}\n",
            10,
            "evaluation.suites.s.judge.rubric",
            "correctness",
        ),
        ("- a\n- b\n", 1, "the file", "dictionary"),
    ],
)
def test_a_fault_is_told_with_file_line_field_and_remedy(
    tmp_path: Path, text: str, line: int, field: str, remedy: str
) -> None:
    path = written(tmp_path, text)

    with pytest.raises(PolicyError) as caught:
        read_policy(path)

    assert f"{path}:{line}: {field} is " in str(caught.value)
    assert remedy in str(caught.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "lineage:\n  a: 1\n  b: 2\n")

    with pytest.raises(PolicyError) as caught:
        read_policy(path)

    assert len(str(caught.value).splitlines()) == 2


def test_text_that_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"hallmark\.yaml:3: not valid YAML"):
        read_policy(written(tmp_path, "a:\n  - [1\n b: }"))


def test_a_missing_file_is_told_with_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"copy hallmark\.yaml"):
        read_policy(tmp_path / "none.yaml")


def test_a_teams_own_scorer_goes_with_the_policy_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "politeness.py").write_text(
        "def score(case: dict, answer: str) -> float:\n    return float('please' in answer)\n", encoding="utf-8"
    )
    text = SUITE.replace("[exact_match]", "[{custom: {file: politeness.py}}]") + "      champion: a\n"

    policy = read_policy(written(tmp_path, text))
    (tmp_path / "politeness.py").unlink()

    (choice,) = policy.evaluation.suites["s"].scorers
    (score,) = make_scorer(choice).score(Case(id="x", prompt="?"), ANSWER)
    assert score.value == 1.0


def test_a_scorers_file_that_is_not_there_is_told_with_its_name(tmp_path: Path) -> None:
    text = SUITE.replace("[exact_match]", "[{custom: {file: nowhere.py}}]") + "      champion: a\n"

    with pytest.raises(PolicyError, match=r"nowhere\.py"):
        read_policy(written(tmp_path, text))


ANSWER = Answer(
    text="please wait",
    stop_reason="end_turn",
    input_tokens=1,
    output_tokens=2,
    latency_ms=1,
    answered_at=datetime(2026, 11, 1, tzinfo=UTC),
)


@pytest.mark.parametrize("name", ["hallmark.yaml", "local/policy.yaml"])
def test_the_repositorys_own_policies_can_be_read(name: str) -> None:
    assert read_policy(ROOT / name).reviews.programs


REVIEW = """
evaluation:
  models: {nova: {model_id: amazon.nova-lite-v1:0}}
  datasets: {questions: {location: s3://some-bucket/questions.jsonl}}
  suites:
    answers: {model_variants: [nova], champion: nova, datasets: [questions], scorers: [token_f1]}
reviews:
  programs:
    answers:
      source: {kind: evaluation, suite: SUITE, variant: VARIANT}
      sample: {by: STRATA}
"""


@pytest.mark.parametrize(
    ("suite", "variant", "strata", "field", "remedy"),
    [
        ("other", "nova", "group", "reviews.programs.answers.source.suite", "name a suite"),
        ("answers", "titan", "group", "reviews.programs.answers.source.variant", "nova"),
        ("answers", "nova", "operation", "reviews.programs.answers.sample.by", "difficulty"),
    ],
)
def test_a_review_of_answers_that_no_suite_gives_is_told_with_its_line(
    tmp_path: Path, suite: str, variant: str, strata: str, field: str, remedy: str
) -> None:
    text = REVIEW.replace("SUITE", suite).replace("VARIANT", variant).replace("STRATA", strata)
    path = tmp_path / "hallmark.yaml"
    path.write_text(text)

    with pytest.raises(PolicyError) as error:
        read_policy(path)

    line = 10 if "source" in field else 11
    assert str(error.value).startswith(f"{path}:{line}: {field} is ")
    assert remedy in str(error.value)
