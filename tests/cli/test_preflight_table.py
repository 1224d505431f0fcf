"""The table of a preflight: golden for a pipe and for 80 columns, and what holds at any width and of any text.

To renew the golden files: EGRESSPROBE_RENEW_GOLDEN=1, then look at the difference.
"""

import os

import pytest
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import AclEntry
from egressprobe.catalog.entry import is_command
from egressprobe.catalog.findings_webhook import WEBHOOK_BLOCKS_ITSELF
from egressprobe.cli.output.preflight.table import preflight_table
from egressprobe.model.discovered import Discovered, LeftOut
from egressprobe.model.failure import Code
from egressprobe.model.target import Verdict
from egressprobe.readiness.result import LOCAL, Decision
from egressprobe.readiness.run import preflight
from tests.conftest import ROOT
from tests.support.preflight_example import example_preflight
from tests.support.preflights import (
    CLUSTER,
    CORP_LOGIN,
    ISSUER,
    KUBELET,
    POLICY,
    TARGETS,
    FakeClock,
    ScriptedSources,
)
from tests.support.vpc.snapshots import A, B, acl, gone, routes

GOLDEN = ROOT / "tests" / "data" / "preflight"
FAIL = (Verdict.FAIL, Code.CONNECT_TIMEOUT)


def flown(**given):
    flight = preflight(ScriptedSources(**given), clock=FakeClock())
    return replace(flight, run_id="run", started_at="2026-11-26T12:00:00.000+00:00")


def no_go():
    """Two causes, one of them in one subnet; a kubelet that is broken today; a finding of discovery."""
    snapshot = routes(ScriptedSources().snapshot, "rtb-private", gone("0.0.0.0/0"))
    snapshot = acl(snapshot, A, AclEntry(10, False, False, 6, "0.0.0.0/0", (1024, 65535)))
    discovered = Discovered(
        targets=TARGETS,
        findings=(
            WEBHOOK_BLOCKS_ITSELF.found("ValidatingWebhookConfiguration/policy/check intercepts its own Pods", {}),
        ),
        left=(LeftOut("APIService/v1.metrics.eks.amazonaws.com", "run by EKS"),),
    )
    changes = {(None, None, POLICY): FAIL, (3, A, CORP_LOGIN): FAIL, (None, A, KUBELET): FAIL}
    changes[None, None, ISSUER] = (Verdict.DEGRADED, Code.CONNECT_TIMEOUT)
    return flown(snapshot=snapshot, discovered=discovered, changes=changes)


def unknown():
    """A subnet that has no probe, a list that was not read, an update whose state is not known."""
    discovered = Discovered(targets=TARGETS, unread=("apiservices",))
    cluster = replace(CLUSTER, update="unknown", unread=("the updates of prod cannot be read: AccessDenied",))
    return flown(subnets={A: "eu-west-1a"}, discovered=discovered, cluster=cluster)


CASES = {"go": flown, "no-go": no_go, "unknown": unknown}


@pytest.mark.parametrize("width", [None, 80], ids=["pipe", "80"])
@pytest.mark.parametrize("name", CASES)
def test_as_it_was_looked_at(name, width):
    text = preflight_table(CASES[name](), width=width) + "\n"
    golden = GOLDEN / f"{name}-{width or 'pipe'}.txt"
    if os.environ.get("EGRESSPROBE_RENEW_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("make", [*CASES.values(), example_preflight])
def test_it_fits_the_terminal(make, width):
    """Nothing but commands, addresses of pages, and ids that are longer is wider."""
    for line in preflight_table(make(), width=width).splitlines():
        whole = is_command(line[14:]) or any(len(word) + 14 > width or "https:" in word for word in line.split())
        assert len(line) <= width or whole, line


def test_the_first_word_is_the_decision():
    for decision, make in ((Decision.GO, flown), (Decision.NO_GO, no_go), (Decision.UNKNOWN, unknown)):
        for width in (None, 80):
            assert preflight_table(make(), width=width).split()[0] == str(decision)
    coloured = preflight_table(no_go(), colour=True)
    assert coloured.startswith("\x1b[31mNO-GO\x1b[0m  ")


def test_a_command_is_printed_once():
    """Also where a prerequisite has the same finding as a cause."""
    text = preflight_table(no_go(), width=80)
    for line in text.splitlines():
        if "create-route " in line or "create-network-acl-entry" in line:
            assert text.count(line) == 1, line
    assert "as of ROUTE_NO_EGRESS, above" in text


def test_where_the_probes_ran_is_in_the_first_lines():
    sources = ScriptedSources(subnets={LOCAL: ""}, changes={(None, None, POLICY): FAIL})
    sources.probed_from = LOCAL
    text = preflight_table(preflight(sources, clock=FakeClock()), width=80)
    assert "GO is not possible" in " ".join(" ".join(text.splitlines()[:8]).split())
    assert "Would break" not in text, "silence on this computer says nothing of the cluster's subnets"
    assert "Not known" in text


def test_text_of_others_cannot_control_the_terminal():
    evil = "\x1b[2J\nGO \u009b31m"
    flight = no_go()
    row = replace(flight.rows[0], target=replace(flight.rows[0].target, name=evil))
    cause = replace(flight.causes[0], summary=evil, target=evil)
    reason = replace(flight.reasons[0], subject=evil, summary=evil)
    check = replace(flight.checks[0], summary=evil)
    changed = replace(
        flight,
        rows=(row, *flight.rows),
        causes=(cause,),
        reasons=(reason, *flight.reasons),
        checks=(check,),
        not_covered=(evil,),
        limits=evil,
        cluster=replace(flight.cluster, name=evil),
    )
    for width in (None, 80):
        assert not {"\x1b", "\u009b"} & set(preflight_table(changed, width=width))


def test_a_configuration_that_contradicts_the_probes_is_in_its_cell():
    snapshot = acl(ScriptedSources().snapshot, B, AclEntry(10, False, False, 6, "0.0.0.0/0", (40000, 65535)))
    flight = flown(snapshot=snapshot)
    assert "20ms (configured: PARTIAL)" in preflight_table(flight)
    assert "configured: PARTIAL from [2]" in preflight_table(flight, width=80)
