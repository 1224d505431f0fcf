"""The house: imports point down, the hot path stays lean, files stay readable."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "egressprobe"
FLOORS = (
    {"__init__", "failure", "guard", "rfc6724", "der", "tlsrecord", "addresses", "budget", "catalog_entries"}
    | {"kubeversion"},
    {"model", "x509names", "dnsmessage", "urls", "catalog_reach", "catalog_findings", "catalog_cluster"}
    | {"catalog_vpc", "catalog_platform"},
    {"x509ext", "measured", "catalog_failures"},
    {"x509", "report", "inputs", "lookup", "wire", "trust", "refusal"},
    {
        "hostname",
        "constraints",
        "policies",
        "pem",
        "stream",
        "resolve",
        "rules",
        "catalog",
        "apiserver",
        "joined",
        "discovered",
    },
    {"goverify", "godial", "orders", "connect", "targetspec"},
    {"signatures", "forecast", "slots", "plan"},
    {"case"},
    {"middlebox", "interception", "aggregation"},
    {"findings"},
    {"certificates", "diagnose", "publish", "targetsfile"},
    {"tls"},
    {"exchange", "ladder", "httpwire"},
    {"oidc"},
    {"probe"},
    {"oidcprobe", "availability", "run"},
    {"doctor", "discovery"},
    {"audit"},
    {"handler"},
    {"planner"},
    {"lab", "stack", "arguments"},
    {"cli"},
    {"__main__"},
)
# The one place that goes up: a kind whose engine is imported only when the plan has it.
UPWARD = {("probe", "oidcprobe"), ("probe", "availability"), ("lab", "cli")}


def _modules():
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        yield parts[0], path


def _floor(module):
    return next(i for i, floor in enumerate(FLOORS) if module in floor)


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "egressprobe":
            names = node.module.split(".")[1:] or [alias.name for alias in node.names]
            yield names[0] if names[0] in {m for m, _ in _modules()} else "__init__"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("egressprobe."):
                    yield alias.name.split(".")[1]


def test_imports_point_only_to_lower_floors():
    """A module imports from floors below its own; inside a package, from beside itself."""
    for module, path in _modules():
        for wanted in _imports(path):
            if wanted == module or (module, wanted) in UPWARD:
                continue
            assert _floor(wanted) < _floor(module), f"{path.name} imports {wanted}, which is not below it"


def test_the_pure_floors_touch_no_socket():
    """What decides imports neither asyncio nor socket nor ssl."""
    pure = {
        "failure",
        "model",
        "measured",
        "report",
        "guard",
        "rfc6724",
        "der",
        "x509",
        "x509ext",
        "x509names",
        "policies",
        "hostname",
        "constraints",
        "goverify",
        "tlsrecord",
        "urls",
        "lookup",
        "pem",
    }
    pure |= {"forecast", "orders", "godial", "diagnose", "apiserver", "catalog", "dnsmessage", "kubeversion"}
    pure |= {"case", "findings", "refusal", "middlebox", "interception", "aggregation", "joined", "discovered"}
    parts = {
        "objects",
        "pages",
        "calls",
        "effects",
        "services",
        "targets",
        "names",
        "nodes",
        "answers",
        "shards",
        "drift",
        *("blocks", "snapshot", "parse", "network", "filters", "walk", "gates", "path", "origins", "wanted", "domains"),
        *("dns_rules", "cluster_rules", "remedies", "answer", "story", "cause"),
    }
    for module, path in _modules():
        if module in pure or (module in ("discovery", "planner", "audit") and path.stem in parts):
            names = {
                a.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import) for a in n.names
            }
            assert not names & {"asyncio", "socket", "ssl"}, path.name


@pytest.mark.parametrize("forbidden", ["httpx", "boto3", "cryptography", "yaml", "egressprobe.lab"])
def test_the_hot_path_stays_lean(forbidden):
    """Importing the handler brings none of what costs cold-start time."""
    code = f"import sys, egressprobe.handler; sys.exit({forbidden!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_and_functions_stay_readable():
    """No file over 320 lines, no function over 60: what a reader holds in the head."""
    for _, path in _modules():
        text = path.read_text()
        assert text.count("\n") <= 320, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno <= 60, f"{path.name}: {node.name}"
