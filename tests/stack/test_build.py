"""What the artifacts are made of: no more than they run, compiled ahead, the same bytes for the same content."""

import hashlib
import importlib.util
import json
import sys

import pytest

from egressprobe.model.errors import InputError
from egressprobe.planner.inventory import bundled
from egressprobe.targets.file import MAX_BYTES
from tests.conftest import ROOT
from tests.support.aws.lambdas import PLANNER, PROBE

pytestmark = pytest.mark.artifact
_UNCHECKED_HASH = 1  # PEP 552


def _build():
    spec = importlib.util.spec_from_file_location("build_script", ROOT / "scripts" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_probe_carries_no_aws_and_nothing_of_ours_that_it_does_not_run():
    names = {path.relative_to(PROBE).as_posix() for path in PROBE.rglob("*.py")}
    for absent in (
        "boto3",
        "botocore",
        "yaml",
        "moto",
        "tests",
        "pytest",
        "egressprobe/planner",
        "egressprobe/stack",
        "egressprobe/lab",
        "egressprobe/cli",
    ):
        assert not any(name.startswith((f"{absent}/", f"{absent}.py")) for name in names), absent
    shown = {"table", "matrix", "render", "joint"}
    assert not shown & {name.removeprefix("egressprobe/publish/").removesuffix(".py") for name in names}


def test_the_planner_carries_the_boto3_that_knows_the_egress_mode():
    """Below 1.43.33 the field is dropped silently."""
    [found] = PLANNER.glob("boto3-*.dist-info")
    version = tuple(map(int, found.name.removeprefix("boto3-").removesuffix(".dist-info").split(".")))
    assert version >= (1, 43, 33)
    services = {path.name for path in (PLANNER / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == {
        "cloudtrail",
        "cloudwatch",
        "ec2",
        "eks",
        "elbv2",
        "events",
        "iam",
        "lambda",
        "logs",
        "network-firewall",
        "route53",
        "route53resolver",
        "scheduler",
        "sns",
        "sts",
    }
    assert not (PLANNER / "egressprobe" / "stack").exists()


@pytest.mark.parametrize("artifact", [PROBE, PLANNER], ids=["probe", "planner"])
def test_all_of_it_is_compiled_ahead_and_loaded_unchecked(artifact):
    tag = sys.implementation.cache_tag
    for source in artifact.rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        assert compiled.exists(), source
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == _UNCHECKED_HASH, source


def test_the_same_content_is_the_same_zip(tmp_path):
    (tmp_path / "content").mkdir()
    for i in range(5):
        (tmp_path / "content" / f"f{i}.py").write_text("x" * i)
    build = _build()
    first = hashlib.sha256(build.pack(tmp_path / "content", tmp_path / "a.zip").read_bytes()).digest()
    (tmp_path / "content" / "f0.py").touch()
    assert hashlib.sha256(build.pack(tmp_path / "content", tmp_path / "b.zip").read_bytes()).digest() == first


def test_the_targets_travel_in_the_planners_artifact(tmp_path):
    """A file of any size, checked at build time."""
    source = tmp_path / "targets.json"
    path = "validate/" + "x" * 200
    hooks = ({"kind": "webhook", "name": f"t{i}", "url": f"https://t{i}.example.com/{path}"} for i in range(30_000))
    source.write_text(json.dumps({"targets": list(hooks)}))
    assert source.stat().st_size > MAX_BYTES, "more than a run takes"
    build = _build()
    build.compile_targets(str(source), tmp_path / "made.json")
    assert len(bundled(tmp_path / "made.json").entries) == 30_000
    source.write_text("targets:\n  - {kind: webhook, name: x, url: 'http://x'}")
    with pytest.raises(InputError, match=r"targets\[0\]\.url"):
        build.compile_targets(str(source), tmp_path / "made.json")


def test_no_artifact_is_built_with_a_wrong_targets_file(tmp_path, capsys):
    """Its mistakes are lines; standard input, which can be read only once, is checked when it is compiled."""
    build = _build()
    source = tmp_path / "targets.yaml"
    source.write_text("targets: [{kind: webhok, name: b}]")
    assert not build.is_targets_file(str(source))
    assert capsys.readouterr().err.startswith(f"egressprobe: {source}:1: targets[0].kind (b): ")
    source.write_text("targets: [{kind: endpoint, name: b, url: 'tcp://b:1'}]")
    assert build.is_targets_file(str(source))
    assert build.is_targets_file("-")
