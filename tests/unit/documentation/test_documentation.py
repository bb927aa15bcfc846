"""What README and docs tell people to type exists, with these options; what they link to is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main

import local.__main__ as local_command
from hallmark.cli.feedback import GiveByDefault
from hallmark.cli.main import app

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
PROGRAMS: dict[str, Any] = {
    "hallmark": typer.main.get_command(app),
    "python -m local": typer.main.get_command(local_command.app),
}
SAID = re.compile(rf"({'|'.join(PROGRAMS)}) (.+)")


class Said(NamedTuple):
    """A command line as a page has it.

    Attributes:
        whole: It stands on a line of its own, to be typed as it is; within a sentence values are left out.
    """

    page: str
    program: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: {self.program} {shlex.join(self.words)}"


def fenced(text: str) -> Iterator[str]:
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()


def inline(text: str) -> Iterator[str]:
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`]+)`", without_blocks):
        yield " ".join(span.split())


def said() -> Iterator[Said]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for whole, lines in ((True, fenced(text)), (False, inline(text))):
            for line in lines:
                for part in re.split(r"; or |&& |; ", line):
                    found = SAID.match(part.strip())
                    if found:
                        typed = re.sub(r"[\[\]]| > .*", " ", found[2])
                        words = shlex.split(typed, comments=True)
                        yield Said(str(page.relative_to(ROOT)), found[1], tuple(words), whole)


def command_of(line: Said) -> tuple[list[Any], list[str]]:
    """Return the commands that the words lead through, and the words that are left for the last."""
    commands: list[Any] = [PROGRAMS[line.program]]
    words = list(line.words)
    while words and hasattr(commands[-1], "commands"):
        word, *following = words
        group = commands[-1]
        option = next((each for each in group.params if word in each.opts), None)
        if word in group.commands:
            commands.append(group.commands[word])
            words = following
        elif option is not None and len(commands) == 1:
            words = following[0 if option.is_flag else 1 :]
        elif isinstance(group, GiveByDefault):
            commands.append(group.commands["give"])
        else:
            assert group.invoke_without_command, f"{line}: there is no {word}"
            break
    return commands, words


LINES = sorted(set(said()))


def test_there_is_something_to_check() -> None:
    assert len({line.page for line in LINES}) > 15
    assert len(LINES) > 150


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_command_of_the_documentation_exists_with_its_options(line: Said) -> None:
    commands, words = command_of(line)

    parameters = [parameter for command in commands for parameter in command.params]
    known = {"--help", *(name for each in parameters for name in (*each.opts, *each.secondary_opts))}
    options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]

    assert [option for option in options if option not in known] == []


@pytest.mark.parametrize("line", [line for line in LINES if line.whole], ids=str)
def test_a_line_of_the_documentation_is_understood_as_it_stands(line: Said) -> None:
    commands, words = command_of(line)

    context = commands[-1].make_context(commands[-1].name, words, resilient_parsing=False)

    assert context.args == []


def test_every_word_of_make_exists() -> None:
    words = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    told = {
        (page.name, word)
        for page in PAGES
        for code in (fenced, inline)
        for line in code(page.read_text(encoding="utf-8"))
        for word in re.findall(r"^(?:\$ )?make ([a-z]+)", line)
    }

    assert told
    assert {(page, word) for page, word in told if word not in words} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]

    assert [link for link in inside if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme] == []


def test_the_readme_names_every_command() -> None:
    named = {line.words[0] for line in LINES if line.page == "README.md" and line.program == "hallmark"}

    assert set(PROGRAMS["hallmark"].commands) - named == set()


def groups(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        yield name, command
        for word, each in command.commands.items():
            yield from groups(f"{name} {word}", each)


@pytest.mark.parametrize(("name", "group"), [found for name in PROGRAMS for found in groups(name, PROGRAMS[name])])
def test_a_list_of_commands_says_whole_sentences_on_a_narrow_screen(name: str, group: Any) -> None:
    text = group.make_context(name, ["--help"], resilient_parsing=True, terminal_width=80).get_help()

    assert [line for line in text.splitlines() if line.endswith("...") and not line.startswith("Usage")] == []
    assert all(len(line) <= 80 for line in text.splitlines())


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for word, each in command.commands.items():
            yield from leaves(f"{name} {word}", each)
    else:
        yield name, command


def test_every_answer_can_be_had_as_json() -> None:
    # What these write is a document itself; the other one serves until it is stopped.
    others = {"hallmark export", "hallmark openlineage proxy"}
    without = {
        name
        for name, command in leaves("hallmark", PROGRAMS["hallmark"])
        if "--json" not in {option for parameter in command.params for option in parameter.opts}
    }

    assert without == others
