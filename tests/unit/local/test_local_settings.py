from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from local.settings import CloudSettings, checkout_directory, child_environment


@pytest.mark.parametrize(
    ("field", "value"), [("account", "123"), ("account", "11112222333x"), ("region", "here"), ("port", 70000)]
)
def test_a_setting_that_cannot_be_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        CloudSettings.model_validate({field: value})


def test_a_child_is_a_client_of_the_local_cloud_whatever_this_shell_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://elsewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-production")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    monkeypatch.setenv("NO_PROXY", "internal")
    monkeypatch.setenv("EDITOR", "ed")

    variables = child_environment("http://127.0.0.1:1", "111122223333", "eu-west-1")

    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SQS"}.isdisjoint(variables)
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert variables["AWS_ACCESS_KEY_ID"] == "111122223333"
    assert variables["AWS_SECRET_ACCESS_KEY"] != "of-production"
    assert variables["NO_PROXY"] == "internal,127.0.0.1,localhost"
    assert variables["EDITOR"] == "ed"


def test_the_checkout_is_found_from_a_folder_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cdk.json").write_text("{}")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)

    assert checkout_directory() == tmp_path


def test_outside_a_checkout_the_message_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"no cdk\.json"):
        checkout_directory()
