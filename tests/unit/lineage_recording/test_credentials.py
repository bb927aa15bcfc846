"""What is named like a credential is not kept, wherever it stands."""

from __future__ import annotations

import json

import pytest

from hallmark.lineage.credentials import is_secret, without_login, without_secret_arguments
from hallmark.lineage.recording import record_event
from tests.fakes.memory_store import MemoryStore, surroundings
from tests.fakes.sagemaker_events import model, package, processing, training

SECRET = "hunter2-is-not-a-word"


def everything_kept(event: object, describer: object = None) -> str:
    store = MemoryStore()
    recording = record_event(event, surroundings(store))
    return json.dumps(recording.fact.model_dump(mode="json"))


@pytest.mark.parametrize(
    "name",
    [
        *("db_password", "DB_PASSWD", "authToken", "hf_token", "HF-TOKEN", "token", "api_key", "apiKey", "API-KEY"),
        *("AWS_SECRET_ACCESS_KEY", "client.secret", "privateKey", "wandb_api_key", "connection_string", "passphrase"),
        *("credentials", "sagemaker_token", "STORAGE_ACCOUNT_KEY"),
    ],
)
def test_a_name_of_a_credential_is_recognised_however_it_is_written(name: str) -> None:
    assert is_secret(name, SECRET)


@pytest.mark.parametrize(
    "name",
    [
        *("max_tokens", "tokenizer", "eos_token", "pad-token", "bosToken", "token_count", "key", "primary_key"),
        *("AWS_ACCESS_KEY_ID", "monkey", "learning_rate", "passes"),
    ],
)
def test_what_only_resembles_a_credential_is_kept(name: str) -> None:
    assert not is_secret(name, "value")


def test_an_arn_names_a_secret_and_is_none() -> None:
    assert not is_secret("DB_SECRET", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf")


def test_two_values_of_a_credential_are_told_apart_without_being_kept() -> None:
    def shown(value: str) -> str:
        event = training("train-1", "Completed", {}, HyperParameters={"db_password": value, "depth": "3"})
        return str(record_event(event, surroundings()).fact.states[0].attributes["hyperparameters"]["db_password"])

    assert shown("one") == shown("one") != shown("two")
    assert shown("one").startswith("sha256:")


@pytest.mark.parametrize(
    "event",
    [
        training("train-1", "Completed", {}, HyperParameters={"password": SECRET}),
        training("train-1", "Completed", {}, Environment={"HF_TOKEN": SECRET}),
        training("train-1", "Completed", {}, Novelty={"Nested": [{"ApiKey": SECRET}]}),
        training("train-1", "Completed", {}, Tags={"git_commit": "1", "repo": f"https://me:{SECRET}@git.example/x"}),
        training("train-1", "Completed", {}, HyperParameters={"git_config": f'{{"repo": "https://{SECRET}@git/x"}}'}),
        training(
            "train-1",
            "Completed",
            {},
            AlgorithmSpecification={"TrainingImage": "i", "ContainerArguments": ["--api-key", SECRET]},
        ),
        {
            **(job := processing("prepare", "Completed", {}, {})),
            "detail": {**job["detail"], "Environment": {"TOKEN": SECRET}},
        },
        {
            **(made := model("wine", 1, 3)[0]),
            "detail": {
                **made["detail"],
                "PrimaryContainer": {"Image": "i", "Environment": {"DB_PASSWORD": SECRET}},
            },
        },
        package(1, "Approved", 3, MetadataProperties={"Repository": f"https://{SECRET}@git.example/x"}),
    ],
    ids=[
        *("hyperparameter", "variable", "unknown section", "tagged repository", "git_config", "argument"),
        *("processing variable", "variable of a container", "package's repository"),
    ],
)
def test_no_credential_is_kept_anywhere_in_a_fact(event: object) -> None:
    assert SECRET not in everything_kept(event)


def test_a_command_line_keeps_everything_but_the_credentials() -> None:
    line = ["--epochs", "3", "--api-key", SECRET, f"--password={SECRET}", f"TOKEN={SECRET}", "--verbose", "train"]

    kept = [str(word) for word in without_secret_arguments(line)]

    assert SECRET not in " ".join(kept)
    assert [word for word in kept if "sha256" not in word] == ["--epochs", "3", "--api-key", "--verbose", "train"]


def test_an_address_without_a_login_is_left_as_it_is() -> None:
    assert without_login("s3://bucket/user@example.com/data") == "s3://bucket/user@example.com/data"
    assert without_login("git@github.com:team/wine.git") == "git@github.com:team/wine.git"
