"""The layout: packages in layers, public names, lean artifacts, files and folders that stay readable.

Two tables decide: LAYERS says which package may import which, PUBLIC what of a package the others may import.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from scripts.build import LEFT_OUT

SRC = Path(__file__).parents[1] / "src" / "egressprobe"
# Lowest first. A package imports itself and lower layers; packages of one layer do not know each other.
LAYERS = (
    ("model", "net"),
    ("error_texts", "observability"),
    ("golang", "catalog"),
    ("apiserver", "audit", "incidents", "publish"),
    ("probe", "aws", "targets"),
    ("discovery", "lab"),
    ("planner",),
    ("handlers", "stack"),
    ("readiness", "watching"),
    ("cli",),
)
# What other packages may import; `module.*` is everything of it.
PUBLIC = {
    "model": (
        "discovered.*",
        "errors.*",
        "failure.*",
        "joined_report.*",
        "measurement.*",
        "ownership.*",
        "remedy.*",
        "report.*",
        "series.*",
        "struct.*",
        "target.*",
        "text.*",
    ),
    "net": ("addresses.*", "guard.*", "secrets.*", "urls.*"),
    "error_texts": (
        *("calls.*", "clients.*", "http.*", "network.*", "oidc.*", "rows.*", "services.*", "template.*", "tls.*"),
        "verdicts.*",
    ),
    "golang": (
        *(
            "address_order.sort_addresses",
            "byte_cache.ByteCache",
            "dialer.*",
            "dns_message.*",
            "release.*",
            "resolver.*",
            "tls.client.*",
            "tls.client_hello.*",
            "tls_client.*",
            "tls_hello.*",
            "tls_record.*",
        ),
        *(
            "http.gzip_body.*",
            "http.proxy.*",
            "http.socks.*",
            "http.http2.*",
            "http.http2_connection.first_frame_whole",
            "http.input.*",
            "http.quote.*",
            "http.response.*",
            "http.url.*",
        ),
        *("jose.json_text.*", "jose.key_set.*", "jose.provider.*", "jose.rsa_private.TooCostlyError"),
        *(
            "x509.accepted_chains.*",
            "x509.ca_bundle.*",
            "x509.certificate.*",
            "x509.der.CertificateError",
            "x509.hostname.matches",
        ),
        *("x509.public_keys.*", "x509.signatures.signature_error", "x509.verify.*"),
    ),
    "catalog": (
        "advice.*",
        "entry.*",
        "findings_cluster.*",
        "findings_probe.*",
        "findings_tls.*",
        "findings_vpc_config.*",
        "findings_vpc_path.*",
        "findings_webhook.*",
        "pasted.meanings.*",
        "pasted.next_steps.next_steps",
        "pasted.paste.MOST_CHARACTERS",
        "pasted.place.*",
        "pasted.recognise.*",
        "registry.*",
    ),
    "observability": (
        *("flows.judge.*", "flows.records.*", "flows.report.*", "flows.result.*"),
        *("history.coarse.*", "history.minutes.*", "history.outages.*", "history.report.*", "history.result.*"),
    ),
    "apiserver": (
        *("authentication.*", "availability.*", "client_rules.*", "forecast.*", "kube_version.*"),
        *("admission_review.*", "log_messages.*", "refusals.*", "tls_alerts.*"),
    ),
    "audit": (
        "paths.destination.*",
        *("paths.destinations.calls_of", "paths.destinations.hosts_of"),
        "resolve_names.with_names",
        "result.*",
        "root_cause.causes",
        "run.audit",
        "vpc.firewall.snapshot.*",
        "vpc.snapshot.*",
        "vpc.snapshot_dns.*",
        "vpc.snapshot_load_balancers.*",
        "vpc.snapshot_transit.*",
        "vpc.topology.Topology",
        "whatif.cloudformation.change_set.*",
        "whatif.compare.whatif",
        "whatif.plan.*",
        "whatif.result.*",
        "whatif.terraform.read.*",
    ),
    "incidents": (
        *("alarms.*", "answer.*", "causes.grouping.observed", "causes.grouping.with_reason", "changes.*", "model.*"),
        *("messages.compose.compose", "messages.payloads.*", "messages.place.MessagePlace"),
        *("states.decisions.DueMessage", "states.evidence.*", "states.memory.*", "states.transitions.*"),
        *("corroboration.compare.*", "corroboration.facts.*", "corroboration.log_lines.*"),
        "corroboration.sentences.*",
    ),
    "publish": ("counting.uncounted", "emf.*", "response.*", "stdout.drop_stdout"),
    "probe": (
        *("doctor.examine", "edges.*", "hop.Prober", "run.*", "transport.connect.*"),
        *("transport.exchange.USER_AGENT", "transport.http.wire.*", "transport.resolve.*", "transport.time_limits.*"),
        *(
            "transport.peer_limits.*",
            "transport.http.proxy.*",
            "transport.stream.Stream",
            "transport.tls.*",
            "transport.tls_context.*",
        ),
    ),
    "aws": (
        *(
            "cluster.*",
            "incidents.api_server.*",
            "commands.script.read_script",
            "eks.*",
            "fleet.read_rate.*",
            "incidents.alarms.*",
            "incidents.since.*",
            "incidents.trail.*",
            "paging.not_as_documented",
            "observability.calls.*",
            "observability.flow_athena.*",
            "observability.flow_insights.*",
            "observability.flow_logs.*",
            "observability.flow_objects.*",
            "observability.insights.*",
            "observability.metric_points.*",
            "observability.minute_queries.*",
            "session.*",
            "updates.eks_updates.*",
        ),
        "vpc_snapshot.*",
    ),
    "targets": ("ca_bundle.*", "decode.*", "file.*", "lines.*", "plan.*", "spec.*"),
    "discovery": (
        *("issuers.*", "kubelets.*", "run.collect", "target_names.free_name"),
        *(
            "kubernetes.api_server.*",
            "kubernetes.client.*",
            "kubernetes.in_cluster.is_possible",
            "kubernetes.eks_token.*",
            "kubernetes.kubeconfig.*",
            "kubernetes.resources.*",
            "kubernetes.responses.unreadable",
        ),
        *("kubernetes.recorded.RecordedSource", "kubernetes.resources.*"),
    ),
    "lab": ("scenario.*",),
    "planner": (
        *("inventory.*", "join.*", "on_demand.probe_now", "functions.run_doctor", "reconcile.*", "settings.*"),
        *("drill.schedule.*", "scheduler_api.scheduler_errors"),
        *("incidents.acknowledge.*", "incidents.edges.*", "incidents.evaluate.*", "incidents.metric.count_failure"),
        *("incidents.reads.events.*", "incidents.settings.*"),
        "lookup.failing.FailingTarget",
        "scheduler_api.list_schedules",
        "shards.cut",
    ),
    "handlers": ("probe.make_handler",),
    "stack": (
        *("aws_answers.failures_as_lines", "deployment.*", "drill.run.*", "planner_client.*"),
        "observing.flows.*",
        "observing.history.*",
    ),
    "readiness": (
        "baseline.*",
        "comparison.comparable.*",
        "comparison.compare.*",
        "fleet.result.*",
        "fleet.run.*",
        "matrix.*",
        "result.*",
        "run.*",
        "switching.job.*",
        "switching.probes.*",
        "switching.run.switch",
        "switching.state.*",
        "switching.truth.*",
    ),
    "watching": ("history.*", "joined.*", "local.*", "repeat.*", "rounds.*", "stack_logs.logs_of"),
    "cli": ("main.main",),
}
# Packages that decide: no socket, no event loop, no clock of their own.
PURE = (
    "model",
    "net",
    "catalog",
    "error_texts",
    "golang",
    "apiserver",
    "probe/diagnosis",
    "audit/vpc",
    "audit/route_targets",
    "audit/changes",
    "audit/paths",
    "audit/fixes",
    "audit/rules",
    "audit/whatif",
    "planner/shards.py",
    "planner/lookup",
    "incidents",
    "observability",
    "stack/fleet/plan.py",
    "readiness/causes.py",
    "watching/history.py",
    "watching/log_lines.py",
    "watching/rounds.py",
    "readiness/checks.py",
    "readiness/coverage.py",
    "readiness/decision.py",
    "readiness/dialled.py",
    "readiness/matrix.py",
    "readiness/path_checks.py",
    "readiness/comparison",
    "readiness/result.py",
)
_IO = {"asyncio", "socket", "ssl", "boto3", "httpx", "subprocess"}
_ENTRY_POINTS = {"probe": ("handlers.probe", "handlers.discover"), "planner": ("handlers.planner",)}
MAX_LINES, MAX_FUNCTION, MAX_FILES = 300, 60, 12


def _name(path):
    return ".".join(path.relative_to(SRC).with_suffix("").parts)


MODULES = {_name(path): path for path in sorted(SRC.rglob("*.py"))}
PACKAGE_OF = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}


def _imports(path):
    """(module, name) of every import of our own, also inside functions and by its dotted name in a string."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "egressprobe":
            base = node.module.partition(".")[2]
            for alias in node.names:
                whole = f"{base}.{alias.name}".lstrip(".")
                yield (whole, "*") if whole in MODULES else (base, alias.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            written = re.fullmatch(r"egressprobe\.([a-z_.0-9]+)", node.value)
            if written and written[1] in MODULES:
                yield written[1], "*"


def _package(module):
    return module.partition(".")[0]


@cache
def imports_by_module():
    """(module, name) of every import of our own, by the module that imports."""
    return {module: sorted(set(_imports(path))) for module, path in MODULES.items()}


def package_imports():
    """The other packages that each package imports."""
    found = {package: set() for package in PACKAGE_OF}
    for module, imports in imports_by_module().items():
        if "." in module:
            found[_package(module)] |= {_package(imported) for imported, _ in imports if imported}
    return {package: others - {package} for package, others in found.items()}


def test_every_package_has_a_layer_and_a_public_surface():
    """No package stands outside the two tables."""
    packages = {path.name for path in SRC.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(PACKAGE_OF) == set(PUBLIC)


def test_imports_point_to_lower_layers():
    """A module imports its own package and lower layers only."""
    for module, imports in imports_by_module().items():
        if "." not in module:  # __init__ and __main__ of the whole
            continue
        for imported, name in imports:
            if not imported:  # egressprobe itself: its version
                continue
            mine, other = _package(module), _package(imported)
            assert mine == other or PACKAGE_OF[other] < PACKAGE_OF[mine], f"{module} imports {imported}.{name}"


def test_packages_are_entered_by_their_public_names():
    """What is not in PUBLIC is the package's own; what is there is used."""
    used = set()
    for module, imports in imports_by_module().items():
        for imported, name in imports:
            package, _, rest = imported.partition(".")
            if not imported or package == _package(module):
                continue
            allowed = {f"{rest}.{name}", f"{rest}.*"} & set(PUBLIC[package])
            assert allowed, f"{module} imports {imported}.{name}, which is not public"
            used |= {(package, entry) for entry in allowed}
    declared = {(package, entry) for package, entries in PUBLIC.items() for entry in entries}
    assert declared - used <= {("handlers", "probe.make_handler")}


def test_diagnosis_and_transport_do_not_know_each_other():
    """What judges sees measurements, never sockets."""
    for module, imports in imports_by_module().items():
        for imported, _ in imports:
            pair = {".".join(name.split(".")[:2]) for name in (module, imported)}
            assert pair != {"probe.diagnosis", "probe.transport"}, f"{module} imports {imported}"


@pytest.mark.parametrize("depth", [1, 2, 9], ids=["packages", "subpackages", "files"])
def test_there_are_no_import_circles(depth):
    """At no level: packages, subpackages, files."""

    def cut(module):
        parts = module.split(".")
        return ".".join(parts[:-1][:depth]) or module if depth < 9 else module

    edges = {}
    for module, imports in imports_by_module().items():
        mine = edges.setdefault(cut(module), set())
        mine |= {cut(imported) for imported, _ in imports if imported and cut(imported) != cut(module)}
    try:
        list(TopologicalSorter(edges).static_order())
    except CycleError as error:
        pytest.fail(str(error.args[1]))


def test_package_docstrings_import_nothing():
    """`__init__` is one docstring: what the package is, its rules, its public names. Imports cost cold-start time."""
    for module, path in MODULES.items():
        if path.name == "__init__.py" and "." in module:
            body = ast.parse(path.read_text()).body
            assert len(body) == 1, module
            assert isinstance(body[0], ast.Expr), module


def test_what_decides_does_no_input_or_output():
    """Pure packages import neither asyncio nor sockets nor AWS."""
    for place in PURE:
        root = SRC / place
        for path in [root] if root.is_file() else root.rglob("*.py"):
            names = {
                alias.name.split(".")[0]
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Import)
                for alias in node.names
            }
            assert not names & _IO, path


@pytest.mark.parametrize("artifact", sorted(LEFT_OUT))
def test_artifacts_leave_out_what_they_cannot_reach(artifact):
    """The import closure of an artifact's entry points, lazy imports included, meets no package that is left out."""
    reached, todo = set(), list(_ENTRY_POINTS[artifact])
    while todo:
        module = todo.pop()
        if module not in reached:
            reached.add(module)
            todo += [imported for imported, _ in imports_by_module()[module] if imported in MODULES]
    assert not {_package(module) for module in reached} & set(LEFT_OUT[artifact])


@pytest.mark.parametrize("forbidden", ["dns", "httpx", "boto3", "cryptography", "yaml", "egressprobe.lab"])
def test_the_hot_path_stays_lean(forbidden):
    """Importing the handler brings none of what costs cold-start time."""
    assert "egressprobe.handlers.probe" in hot_path()
    assert forbidden not in hot_path()


@cache
def hot_path():
    """The modules that a new process has after importing the handler."""
    code = "import sys, egressprobe.handlers.probe; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_files_functions_and_folders_stay_readable():
    """What a reader holds in the head."""
    for path in MODULES.values():
        text = path.read_text()
        assert text.count("\n") <= MAX_LINES, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno <= MAX_FUNCTION, f"{path.name}: {node.name}"
    for folder in {path.parent for path in MODULES.values()}:
        assert len(list(folder.glob("[!_]*.py"))) <= MAX_FILES, folder


def test_no_two_classes_have_one_name():
    """A name is one thing; private twins are the two releases of Go's name constraints alone."""
    places = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(module)
    twins = {name: modules for name, modules in places.items() if len(modules) > 1}
    assert {module.rpartition(".")[0] for modules in twins.values() for module in modules} <= {
        "golang.x509.constraints"
    }, twins
