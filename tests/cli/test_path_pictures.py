"""The pictures of audited paths: what blocks is marked where the packets meet it, and nothing else is."""

import pytest
from msgspec.structs import replace

from egressprobe.audit.result import Audit, PathBlame, PathReport
from egressprobe.audit.run import audit
from egressprobe.cli.output.sheets.paths import PathPictures, hops
from egressprobe.targets.plan import read_plan
from tests.support.vpc.broken import BASE, BROKEN, TARGETS, ZONE, Broken
from tests.support.vpc.snapshots import POD, WEB, WEB6, A, acl

TARGET_LIST = read_plan(
    {"targets": [{"kind": "webhook", "name": name} | spec for name, spec in TARGETS.items()]}
).targets
ADDRESSES = {name: (*records.a, *records.aaaa) for name, records in ZONE.items()}


def _audit(snapshot) -> Audit:
    return audit(replace(snapshot, names=ADDRESSES | snapshot.names), TARGET_LIST)


def _drawn(picture):
    return [(hop.id or hop.kind, hop.state) for hop in picture.hops if not hop.returning]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_what_the_audit_blames_is_what_is_marked(case: Broken):
    """Every blocker is marked once, with the audit's sentence; an open path has none; the order is the packets'."""
    result = _audit(case.snapshot)
    for path in result.paths:
        drawn = list(hops(path))
        marked = {note for hop in drawn if hop.state in ("blocked", "partial") for note in hop.note.split("; ")}
        blames = (path.blame, *path.also) if path.blame else path.narrowed
        assert marked == {part for blame in blames for part in blame.said.split("; ")}
        assert (path.state == "closed") == any(hop.state == "blocked" for hop in drawn)
        call = [hop for hop in drawn if not hop.returning]
        assert call[-1].kind == "destination"
        assert drawn[: len(call)] == call
        blocked = [i for i, hop in enumerate(call) if hop.state == "blocked"]
        if blocked:
            assert all(hop.state == "open" for hop in call[: blocked[0]])
            assert "open" not in {hop.state for hop in call[blocked[0] :]}
        else:
            assert call[-1].state == ("unknown" if path.knowledge_ends else "open")


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_return_traffic_is_reported_as_such(case: Broken):
    """In the audit's JSON, by the direction of the walk; the sentences for people say the same."""
    for path in _audit(case.snapshot).paths:
        for blame in (path.blame, *path.also, *path.narrowed):
            if blame is not None:
                assert blame.return_traffic == ("return traffic" in blame.said), blame.said


def test_replies_that_an_acl_denies_are_drawn_behind_the_destination():
    """The call itself arrives: every element of it is open."""
    case = next(case for case in BROKEN if case.name == "answers denied")
    [picture] = PathPictures(_audit(case.snapshot)).of("web", A)
    assert picture.state == "closed"
    assert {hop.state for hop in picture.hops if not hop.returning} == {"open"}
    assert [(hop.id, hop.state) for hop in picture.hops if hop.returning] == [(f"acl-{A}", "blocked")]


def test_an_acl_that_is_met_again_blocks_where_it_blocks():
    """One ACL for all subnets: it passes the call out of the caller's and denies it into the pods'."""
    deny = next(one for one in BROKEN if one.name == "pods' subnet lets nobody in").snapshot
    rules = next(one for one in deny.acls if one.id == "acl-subnet-pods").entries
    shared = replace(BASE, acls=(replace(BASE.acls[0], subnets=tuple(one.id for one in BASE.subnets), entries=rules),))
    [picture] = PathPictures(_audit(shared)).of("pod", A)
    assert _drawn(picture)[1] == (f"acl-{A}", "open")
    assert _drawn(picture)[-2:] == [(f"acl-{A}", "blocked"), ("destination", "not reached")]


def test_one_picture_for_addresses_with_the_same_path():
    """Its family chooses; more than three addresses are counted."""
    many = replace(BASE, names={"web.example": (WEB, "93.184.216.35", "93.184.216.36", "93.184.216.37", WEB6)})
    pictures = PathPictures(_audit(many))
    four, six = pictures.of("web", A)
    assert four.destination == f"{WEB}, 93.184.216.35, 93.184.216.36 and 1 more port 443"
    assert pictures.of("web", A, "ipv6") == (six,)
    assert (six.destination, _drawn(six)[-2]) == (f"{WEB6} port 443", ("eigw-1", "open"))
    assert pictures.of("elsewhere", A) == pictures.of("web", "subnet-elsewhere") == ()


def test_names_of_kinds():
    """By the longest prefix; what is of no known kind keeps its id."""
    names = ("sg-1", "tgw-1", "tgw-attach-1", "tgw-rtb-1", "local", "odd")
    drawn = list(hops(PathReport(A, POD, 443, "tcp", "open", elements=names)))
    assert [hop.kind for hop in drawn] == [
        "security group",
        "transit gateway",
        "transit gateway attachment",
        "transit gateway route table",
        "local route",
        "element",
        "destination",
    ]


def test_a_network_firewall_has_a_name_and_no_id():
    """Behind its endpoint, or where a blocker is a firewall's, whatever its name is."""
    drops = PathBlame("FIREWALL_DROPS_RETURN", "sg-like", "drops", {"firewall": "arn"}, True)
    names = ("acl-1", "vpce-1", "acl-2", "inspection", "rtb-1")
    drawn = list(hops(PathReport(A, POD, 443, "tcp", "closed", blame=drops, elements=names)))
    assert [hop.kind for hop in drawn if hop.id in ("inspection", "sg-like")] == ["network firewall"] * 2
    assert [hop.kind for hop in drawn if hop.id == "acl-2"] == ["network ACL"]


def test_what_blocks_besides():
    """Behind the first blocker, which is not met by any packet: blocked as well, never `not reached`."""
    path = PathReport(
        *(A, POD, 443, "tcp", "closed"),
        blame=PathBlame("SG_EGRESS_DENIED", "sg-1", "no egress rule"),
        elements=("sg-1",),
        also=(PathBlame("NACL_EGRESS_DENIED", "acl-1", "rule 90"), PathBlame("X", "rtb-1", "back", {}, True)),
    )
    assert [(hop.id or hop.kind, hop.state, hop.returning) for hop in hops(path)] == [
        ("sg-1", "blocked", False),
        ("acl-1", "blocked", False),
        ("destination", "not reached", False),
        ("rtb-1", "blocked", True),
    ]


def test_some_ports_denied_is_partial():
    """An ACL that denies a part of the client ports: neither open nor blocked."""
    case = next(case for case in BROKEN if case.name == "answers denied")
    rules = next(one for one in case.snapshot.acls if one.id == f"acl-{A}").entries
    some = acl(BASE, A, *(replace(one, ports=(1024, 2000)) for one in rules if one.number == 90))
    [picture] = PathPictures(_audit(some)).of("web", A)
    assert (picture.state, picture.hops[-1].id, picture.hops[-1].state) == ("partial", f"acl-{A}", "partial")
