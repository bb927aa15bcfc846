"""Settings are read from the environment; what is wrong with it is said by name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hallmark.runtime.settings import Settings, SettingsError


class ExampleSettings(Settings):
    """Settings of a function that does not exist."""

    lineage_table_name: str
    maximum_receives: int = 5


def test_a_field_is_the_variable_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_TABLE_NAME", "lineage")
    monkeypatch.setenv("MAXIMUM_RECEIVES", "3")

    settings = ExampleSettings.from_environment()

    assert (settings.lineage_table_name, settings.maximum_receives) == ("lineage", 3)


def test_a_variable_that_is_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_TABLE_NAME", "lineage")
    monkeypatch.delenv("MAXIMUM_RECEIVES", raising=False)

    assert ExampleSettings.from_environment().maximum_receives == 5


def test_all_faults_are_named_with_value_and_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAGE_TABLE_NAME", raising=False)
    monkeypatch.setenv("MAXIMUM_RECEIVES", "five")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "what must not be shown")

    with pytest.raises(SettingsError) as failure:
        ExampleSettings.from_environment()

    said = str(failure.value)
    assert "variable LINEAGE_TABLE_NAME is missing" in said
    assert "variable MAXIMUM_RECEIVES is 'five'" in said
    assert "deploy the stack again" in said
    assert "must not be shown" not in said


def test_settings_do_not_change() -> None:
    settings = ExampleSettings(lineage_table_name="lineage")

    with pytest.raises(ValidationError):
        settings.maximum_receives = 1  # type: ignore[misc] # that it is not allowed is what is tested
