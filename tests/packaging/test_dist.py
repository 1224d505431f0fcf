"""What `make dist` builds, in clean environments: the wheel with and without its extra, the single file, SBOM, sums."""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile

import jsonschema
import pytest

import egressprobe
from tests.conftest import ROOT

pytestmark = [pytest.mark.packaged, pytest.mark.thorough]
DIST = ROOT / "build/dist"
SCHEMAS = ROOT / ".tools/stack/checkov/lib/python3.13/site-packages/cyclonedx/schema/_res"
LOCK = (ROOT / "requirements/cli.txt").read_text()
PINS = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", LOCK, re.MULTILINE))
MAIN = ROOT / "scripts/packaging/zipapp_main.py"


def only(pattern, folder=DIST):
    [path] = folder.glob(pattern)
    return path


def run(*command, **environment):
    """In an environment of nothing but these variables."""
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"} | environment
    return subprocess.run([str(word) for word in command], env=variables, capture_output=True, text=True, check=False)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- the wheel ------------------------------------------------------------------------------------------------


def test_the_version_has_one_place():
    """The package's own: the wheel, the single file and --version have it from there."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]
    for pattern in ("*.whl", "*.pyz", "*.cdx.json"):
        assert only(pattern).name.startswith(f"egressprobe-{egressprobe.__version__}-")


def test_the_wheel_has_the_package_and_nothing_else():
    """No tests, no build folder, no bytecode."""
    names = {name for name in zipfile.ZipFile(only("*.whl")).namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "src/egressprobe").rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert names == {path.relative_to(ROOT / "src").as_posix() for path in files} | {"egressprobe/lab/demo.json"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """(without, with the extra): a command in a clean environment, installed from files alone."""
    made = []
    for extra in ("", "[cli]"):
        place = tmp_path_factory.mktemp("venv") / "v"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(place / "bin/python"), "install", "-qq", "--no-compile"]
        files = ["--no-index", "--find-links", str(DIST / "wheels"), f"{only('*.whl')}{extra}"]
        subprocess.run([*pip, "--disable-pip-version-check", *files], check=True)
        made.append(place / "bin/egressprobe")
    return made


def test_without_the_extra_it_probes_and_names_what_is_missing(installed, tmp_path):
    """JSON in, a table out; YAML and AWS are one line each."""
    command, _ = installed
    targets = tmp_path / "t.json"
    targets.write_text('{"targets": [{"kind": "endpoint", "name": "a", "url": "tcp://127.0.0.1:1"}]}')
    assert run(command, "run", "-f", targets).stdout.startswith("UNKNOWN: 0 fail, 1 unknown")
    targets.write_text("targets: []")
    missing = [run(command, "audit", "--cluster", "x", "--region", "eu-west-1"), run(command, "run", "-f", targets)]
    assert [(answer.returncode, answer.stderr.count("\n")) for answer in missing] == [(1, 1), (2, 1)]
    assert all(answer.stderr.endswith("pip install 'egressprobe[cli]'\n") for answer in missing)


def test_with_the_extra_everything_is_there(installed, tmp_path):
    """YAML, AWS, every --help; and the built-in network."""
    _, command = installed
    targets = tmp_path / "t.yaml"
    targets.write_text("targets: [{kind: endpoint, name: a, url: 'tcp://127.0.0.1:1'}]")
    assert run(command, "run", "-f", targets, "-o", "yaml").stdout.startswith("schemaVersion: ")
    answer = run(command, "audit", "--cluster", "x", AWS_REGION="eu-west-1", AWS_EC2_METADATA_DISABLED="true")
    assert "Unable to locate credentials" in answer.stderr
    assert "24 of 24 verdicts correct" in run(command, "demo").stderr


def test_the_wheel_has_the_plugin_of_kubectl(installed):
    """Both executables, by the names that kubectl looks for."""
    _, command = installed
    plugin, completes = (command.with_name(name) for name in ("kubectl-egressprobe", "kubectl_complete-egressprobe"))
    assert run(plugin, "run", "--help").stdout.startswith("usage: kubectl egressprobe run ")
    assert run(completes, "explain", "dns_nx").stdout.splitlines()[-2:] == ["dns_nxdomain", ":4"]


# -- the single file ------------------------------------------------------------------------------------------


def zipapp(*arguments, python=sys.executable, **environment):
    return run(python, only("*.pyz"), *arguments, **environment)


def test_the_single_file_unpacks_once(tmp_path):
    """Into the user's cache, readable by nobody else; a second run finds it there."""
    first = zipapp("--version", XDG_CACHE_HOME=str(tmp_path))
    assert first.stdout == f"egressprobe {egressprobe.__version__}\n", first.stderr
    [folder] = (tmp_path / "egressprobe").iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    (folder / "egressprobe/__init__.py").write_text('"""."""\n__version__ = "from the cache"\n')
    assert zipapp("--version", XDG_CACHE_HOME=str(tmp_path)).stdout == "egressprobe from the cache\n"
    folder.chmod(0o777)
    answer = zipapp("--version", XDG_CACHE_HOME=str(tmp_path), TMPDIR=str(tmp_path))
    assert answer.stdout == first.stdout, "what others may write to is not run"


def test_the_single_file_without_a_home(tmp_path):
    """Unpacked for this run, and removed after it."""
    answer = zipapp("explain", "dns_timeout", XDG_CACHE_HOME="/dev/null", TMPDIR=str(tmp_path))
    assert answer.stdout.startswith("dns_timeout: ")
    assert list(tmp_path.iterdir()) == []


def test_the_single_file_as_the_plugin_of_kubectl(tmp_path):
    """By its name: copied as the plugin, linked for the completion."""
    names = ("kubectl-egressprobe", "kubectl_complete-egressprobe")
    plugin, completes = (tmp_path / name for name in names)
    plugin.symlink_to(only("*.pyz"))
    completes.symlink_to(plugin.name)
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    assert run(sys.executable, plugin, "--help", **environment).stdout.startswith("usage: kubectl egressprobe ")
    assert run(sys.executable, completes, "dem", **environment).stdout.startswith("demo\t")


def test_two_first_runs_at_once(tmp_path):
    """Both work; one copy is left."""
    command = [sys.executable, str(only("*.pyz")), "--version"]
    environment = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path)}
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(60) for process in runs] == [0, 0, 0]
    assert len(list((tmp_path / "egressprobe").iterdir())) == 1


def test_another_python_or_platform_gets_one_line():
    """The file parses on each Python 3; what it needs is in the line."""
    ast.parse(MAIN.read_text(), feature_version=(3, 5))
    text = zipfile.ZipFile(only("*.pyz")).read("__main__.py").decode()
    for change, words in (
        (("NEEDS = (3, 13)", "NEEDS = (3, 99)"), "needs Python 3.99, this is 3.13: python3.99 "),
        (
            (re.search(r"BUILT_FOR = .*", text)[0], 'BUILT_FOR = "linux-sparc"'),
            "this file is for linux-sparc, and this is ",
        ),
    ):
        answer = run(sys.executable, "-c", text.replace(*change))
        assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
        assert answer.stderr.startswith(f"egressprobe: {words}")


# -- the same bytes, sums, SBOM -------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(tmp_path):
    """In another folder, with another umask and other times."""
    copy = tmp_path / "other place"
    copy.mkdir()
    files = ["src", "events", "requirements", "scripts", "pyproject.toml", "README.md", "LICENSE", ".gitignore"]
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in files), str(copy)], check=True)
    out = tmp_path / "out"
    command = [
        sys.executable,
        str(copy / "scripts/packaging/dist.py"),
        "--wheels",
        str(DIST / "wheels"),
        "--out",
        str(out),
    ]
    old = os.umask(0o077)
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=tmp_path)
    finally:
        os.umask(old)
    assert (out / "SHA256SUMS").read_text() == (DIST / "SHA256SUMS").read_text()


def test_the_sums_are_of_the_files():
    """As `sha256sum -c` checks them; no file is without one."""
    lines = dict(reversed(line.split("  ")) for line in (DIST / "SHA256SUMS").read_text().splitlines())
    assert lines == {
        path.name: sha256(path)
        for path in DIST.iterdir()
        if path.is_file() and path.name not in (".ready", "SHA256SUMS")
    }


def test_the_sbom_lists_what_is_in_the_file():
    """Each package of the lock with its pinned version and a hash that the lock has."""
    document = json.loads(only("*.cdx.json").read_text())
    components = {component["name"]: component for component in document["components"]}
    assert {name: component["version"] for name, component in components.items()} == {
        name: version for name, version in PINS.items() if any(DIST.glob(f"wheels/{name.replace('-', '_')}-*"))
    }
    for component in components.values():
        assert f"sha256:{component['hashes'][0]['content']}" in LOCK
        assert component["licenses"]
    assert document["metadata"]["component"]["hashes"][0]["content"] == sha256(only("*.whl"))
    needs = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
    ours = document["metadata"]["component"]["bom-ref"]
    reached, waiting = set(), [ours]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs[ref]
    assert reached == set(needs), "nothing is in it that is not needed"


@pytest.mark.skipif(not SCHEMAS.exists(), reason="NOT RUN: needs the schemas of CycloneDX (make template sets them up)")
def test_the_sbom_is_valid():
    """By the official schema of CycloneDX 1.6."""
    from referencing import Registry, Resource

    pairs = [(path.name.replace(".SNAPSHOT", ""), json.loads(path.read_text())) for path in SCHEMAS.glob("*.json")]
    resources = [(name, Resource.from_contents(schema, default_specification=_draft7())) for name, schema in pairs]
    registry = Registry().with_resources(
        [(f"http://cyclonedx.org/schema/{name}", resource) for name, resource in resources]
    )
    schema = dict(pairs)["bom-1.6.schema.json"]
    jsonschema.Draft7Validator(schema, registry=registry).validate(json.loads(only("*.cdx.json").read_text()))


def _draft7():
    from referencing.jsonschema import DRAFT7

    return DRAFT7
