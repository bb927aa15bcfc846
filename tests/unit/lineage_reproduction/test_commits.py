"""A repository is asked for a commit by the real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hallmark.cli.repositories import ask_commit


@pytest.fixture
def repository(tmp_path: Path) -> tuple[str, list[str]]:
    """A repository with two commits, and their digests."""
    folder = tmp_path / "code"
    folder.mkdir()

    def git(*arguments: str) -> str:
        words = ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.com", *arguments]
        return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    commits = []
    for text in ("one", "two"):
        (folder / "train.py").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "-m", text)
        commits.append(git("rev-parse", "HEAD"))
    return folder.as_uri(), commits


def test_a_commit_that_the_repository_has_is_there_though_no_branch_ends_in_it(
    repository: tuple[str, list[str]],
) -> None:
    uri, commits = repository

    assert [ask_commit(uri, commit).exists for commit in commits] == [True, True]


def test_a_commit_that_the_repository_has_not_is_gone(repository: tuple[str, list[str]]) -> None:
    known = ask_commit(repository[0], "0123456789abcdef0123456789abcdef01234567")

    assert known.exists is False


@pytest.mark.parametrize(
    "address",
    [
        "file:///nowhere/at/all",
        "ext::sh -c touch% NEVER",
        "--upload-pack=touch NEVER",
        "http://127.0.0.1:9/x",
    ],
)
def test_who_cannot_be_asked_is_not_known_and_nothing_else_is_run(address: str, tmp_path: Path) -> None:
    never = tmp_path / "never"

    known = ask_commit(address.replace("NEVER", str(never)), "0123456789abcdef0123456789abcdef01234567")

    assert known.exists is None
    assert not never.exists()


def test_what_is_no_digest_is_not_asked_for() -> None:
    assert ask_commit("file:///nowhere", "main; rm").exists is None
