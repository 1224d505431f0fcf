"""README and docs are correct: links, commands, examples and codes."""

import re
import shlex

import pytest
import yaml

from egressprobe.catalog.registry import lookup
from egressprobe.cli.common.parser import parser
from egressprobe.cli.main import COMMANDS
from egressprobe.model.errors import InputError
from egressprobe.model.target import Kind
from egressprobe.targets.plan import read_plan
from tests.conftest import ROOT

PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))
README = (ROOT / "README.md").read_text()
MAX_README = 150
# Pages about commands of other versions: of the past, and of an example.
_OTHER_TIMES = {"CHANGELOG.md", "develop.md"}
# Commands of others that a page may show.
_FOREIGN = {"aws", "conftest", "for", "git", "kubectl", "pipx", "python3.13", "terraform"}


def _anchors(path):
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in path.read_text().splitlines()
        if line.startswith("#")
    }


def _blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def _commands(page):
    return [line[2:] for block in _blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every relative link names a file, and its anchor a heading there."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        assert not anchor or anchor in _anchors(path), target


def test_every_page_is_linked():
    """From the README, or from a page that it links."""
    linked = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        linked.add(page)
        names = re.findall(r"\]\(([^)#]+\.md)", page.read_text())
        todo += [path for name in names if (path := (page.parent / name).resolve()) not in linked and path.exists()]
    assert {page for page in PAGES if page.parent.name == "docs"} <= linked


def test_the_readme_is_short():
    """What a newcomer reads in a minute; the rest is in docs/."""
    assert README.count("\n") <= MAX_README
    [sample] = re.findall(r"<!-- sample.*?```console\n(.*?)```", README, re.DOTALL)
    assert max(map(len, sample.splitlines())) <= 100
    assert len(sample.splitlines()) <= 15


def _checked(line, makefile):
    """A make target that exists; options that the command's parser accepts; a file that is there."""
    for part in re.split(r" && | \| ", line):
        words = shlex.split(part.partition(" > ")[0].removeprefix("kubectl egressprobe "), comments=True)
        if part.startswith("kubectl egressprobe "):
            words = ["egressprobe", *words]
        command = words[0].rpartition("/")[2]
        if command == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        elif command == "egressprobe" and "--version" not in words:
            parser(COMMANDS).parse_args(words[1:])
        elif command == "kubectl" and "-f" in words:
            assert (ROOT / words[-1]).exists(), line
        else:
            assert command in _FOREIGN | {"egressprobe"}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_commands(page):
    """Each `egressprobe ...` parses, each `make ...` is a target, also within a sentence."""
    makefile = (ROOT / "Makefile").read_text()
    for line in _commands(page):
        _checked(line, makefile)
    for name in re.findall(r"`make ([a-z][a-z0-9-]*)", page.read_text()):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in _OTHER_TIMES], ids=lambda page: page.name)
def test_commands_within_sentences_exist(page):
    """Each `egressprobe ...`; a sentence may leave out what the command needs, and the value of its last option."""
    for text in re.findall(r"`(egressprobe [^`\n]+)`", page.read_text()):
        words = shlex.split(re.split(r" [>|] ", text)[0])
        try:
            parser(COMMANDS).parse_args(words[1:])
        except InputError as error:
            left_out = ("expected one argument", "arguments are required")
            assert any(part in str(error) for part in left_out), f"{text}: {error}"


def test_the_readme_has_the_two_tasks_with_their_commands():
    """Before the switch, and at night: commands that exist."""
    for heading, count in (("Before you switch to CUSTOMER_ROUTED", 3), ("A webhook fails right now", 10)):
        section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        commands = [line for line in section.splitlines() if line.startswith("$ egressprobe ")]
        assert len(commands) == count, heading


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "yaml")], ids=lambda page: page.name)
def test_targets_files_in_documents_are_accepted(page):
    """Every example of a targets file is read by the reader of targets files."""
    for example in _blocks(page, "yaml"):
        if "schemaVersion: egressprobe/targets" in example:
            assert read_plan(yaml.safe_load(example)).targets


def test_an_example_of_each_kind():
    [example] = _blocks(ROOT / "docs" / "run.md", "yaml")
    plan = read_plan(yaml.safe_load(example))
    assert {target.kind for target in plan.targets} == set(Kind)


def test_codes_in_documents_exist():
    """A link to an explanation names a code of the catalogue."""
    for page in PAGES:
        for code in re.findall(r"findings\.md#(\w+)", page.read_text()):
            assert lookup(code), f"{page.name}: {code}"


def test_nothing_names_a_registry_or_a_machine():
    """Locks and scripts hold hashes, not hosts."""
    for path in (*(ROOT / "requirements").glob("*.txt"), ROOT / "src" / "requirements.txt", ROOT / "pyproject.toml"):
        assert "://" not in path.read_text(), path
