"""Snapshots of VPCs that a person edited, cut or made up: `audit --snapshot` has a result or one line, exit code 2.

What could not be read is unknown: a list that is missing never makes a path open.
"""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest
from msgspec.structs import replace

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import Unread, to_json
from egressprobe.cli.common.exit_codes import BAD_INPUT, FAILED, NOT_SURE, OK
from egressprobe.cli.main import main
from egressprobe.targets.plan import read_plan
from tests.support.mutations import Similar, dumped, mutated_text, mutated_value
from tests.support.vpc.broken import BROKEN, TARGETS, ZONE

NAMES = {name: (*records.a, *records.aaaa) for name, records in ZONE.items()}
SNAPSHOTS = [replace(row.snapshot, names=NAMES) for row in BROKEN]
DOCUMENTS = [json.loads(to_json(snapshot)) for snapshot in SNAPSHOTS]
SIMILAR = Similar(DOCUMENTS)
PLAN = {"targets": [{"kind": "webhook", "name": name} | target for name, target in TARGETS.items()]}
PARTS = ("route_tables", "acls", "groups", "interfaces", "nats", "gateways", "attachments", "peerings", "endpoints", "prefix_lists", "dhcp", "resolver_rules", "zones", "dns_firewall", "public_access", "encryption")  # fmt: skip


@pytest.fixture(autouse=True)
def no_lookups(monkeypatch):
    """A name that was damaged does not resolve."""
    monkeypatch.setattr("egressprobe.audit.resolve_names._addresses", lambda host: ())


def run(*arguments):
    """Exit code, stdout and stderr of the command."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return code, out.getvalue(), err.getvalue()


def test_snapshots(fuzz, tmp_path):
    path, targets = tmp_path / "snapshot.json", tmp_path / "targets.json"
    targets.write_text(json.dumps(PLAN))

    def check(random):
        document = random.choice(DOCUMENTS)
        for _ in range(random.choice((1, 1, 2, 4, 8))):
            document = SIMILAR.mutated(random, document)
        if random.random() < 0.2:
            document = mutated_value(random, document)
        text = dumped(random, document)
        if random.random() < 0.1:
            text = mutated_text(random, text)
        path.write_text(text, errors="surrogatepass")
        form = random.choice(("table", "json", "yaml"))
        code, out, err = run("audit", "--snapshot", str(path), "-f", str(targets), "-o", form)
        assert code in (OK, FAILED, NOT_SURE, BAD_INPUT), err
        if code == BAD_INPUT:
            assert not out
            assert err.count("\n") == 1, err
        assert (err + out).replace("\n", "").isprintable() or form == "json"
        assert len(err) < 3000

    fuzz(check, inputs=30, most_seconds=3.0)


def test_snapshots_with_unread_lists(fuzz):
    """A cell that is open without a list is open with it, and what was not read is reported."""
    targets = read_plan(PLAN).targets

    def cells(snapshot):
        rows = audit(snapshot, targets).rows
        return {(row.target, cell.subnet): cell.state for row in rows for cell in row.cells}

    def check(random):
        snapshot = random.choice(SNAPSHOTS)
        parts = random.sample(PARTS, random.choice((1, 1, 2, 5)))
        unread = tuple(Unread(part, "ec2:Describe", "refused", denied=True) for part in parts)
        partly = replace(snapshot, unread=unread, **dict.fromkeys(parts))
        whole, known = cells(snapshot), cells(partly)
        for key, state in known.items():
            assert state != "open" or whole.get(key) == "open", (parts, key, whole.get(key))

    fuzz(check, inputs=30, most_seconds=3.0)
