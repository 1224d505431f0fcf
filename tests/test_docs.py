"""The README says what is true: links, commands, examples and codes."""

import re
import shlex

import pytest
import yaml

from egressprobe.catalog.registry import lookup
from egressprobe.cli.common.parser import parser
from egressprobe.cli.main import COMMANDS
from egressprobe.targets.plan import read_plan
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()


def _anchors(path):
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in path.read_text().splitlines()
        if line.startswith("#")
    }


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


def test_commands_of_the_readme_are_commands():
    """Each `egressprobe ...` parses, each `make ...` is a target."""
    makefile = (ROOT / "Makefile").read_text()
    lines = [
        line[2:]
        for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line.partition(" > ")[0], comments=True)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        elif words[0] == "kubectl":
            assert (ROOT / words[-1]).exists(), line
        else:
            parser(COMMANDS).parse_args(words[1:])
    for name in re.findall(r"`make ([a-z-]+)`", README):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_the_targets_file_of_the_readme_is_accepted():
    [example] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    plan = read_plan(yaml.safe_load(example))
    assert {str(target.kind) for target in plan.targets} == {"oidc", "webhook", "aggregated-api", "kubelet", "endpoint"}


def test_codes_in_the_readme_exist():
    for code in re.findall(r"docs/findings\.md#(\w+)", README):
        assert lookup(code), code


def test_nothing_names_a_registry_or_a_machine():
    """Locks and scripts hold hashes, not hosts."""
    for path in (*(ROOT / "requirements").glob("*.txt"), ROOT / "src" / "requirements.txt", ROOT / "pyproject.toml"):
        assert "://" not in path.read_text(), path
