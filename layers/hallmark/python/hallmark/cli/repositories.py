"""Whether a repository has a commit: git is asked, with the rights of whoever asks."""

from __future__ import annotations

import os
import subprocess
import tempfile

from hallmark.lineage.reproduction.checking import Known

_SECONDS = 30
_LINE_LENGTH = 200


def ask_commit(repository: str, commit: str) -> Known:
    """Ask a repository for a commit: its tree and its files are not fetched.

    The address comes from tags and variables of jobs: only https, ssh and files are spoken to, nothing in it is taken
    for an option, and git asks nobody for a password.
    """
    words = f"{repository}@{commit[:12]}"
    if not all(character in "0123456789abcdef" for character in commit.lower()):
        return Known(None, f"{words}: it is no commit's digest")
    allowed = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https:ssh:file", "LC_ALL": "C"}
    with tempfile.TemporaryDirectory() as folder:
        fetch = ("fetch", "--quiet", "--depth=1", "--no-tags", "--filter=tree:0", "--", repository, commit)
        try:
            for arguments in (("init", "--quiet", "--bare"), fetch):
                done = subprocess.run(
                    ["git", *arguments],
                    cwd=folder,
                    env=allowed,
                    capture_output=True,
                    text=True,
                    timeout=_SECONDS,
                    check=False,
                )
        except FileNotFoundError:
            return Known(None, f"{words}: git is not installed here")
        except subprocess.TimeoutExpired:
            return Known(None, f"{words}: the repository did not answer within {_SECONDS} s")
    if done.returncode == 0:
        return Known(True, words)
    said = done.stderr.strip().splitlines()
    reason = said[-1][:_LINE_LENGTH] if said else "git gave no reason"
    # What git's servers say of a commit that they do not have; anything else says that nobody could ask.
    missing = any(text in done.stderr for text in ("not our ref", "no such remote ref", "couldn't find remote ref"))
    return Known(False if missing else None, f"{words}: {reason}")
