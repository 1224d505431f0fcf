"""One message with the cause, for each of fifteen faults: it arrives within three minutes of its alarm, to people and
on the event bus; what it says to do is done, as printed; and then its end is reported. Nothing is sent in between.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

from egressprobe.lab.certs import make_authority
from tests.e2e.breaks import Breaks
from tests.e2e.commands import carry_out
from tests.e2e.emulation import control
from tests.e2e.stack import NOTICE, PAGE, Stack
from tests.e2e.test_drill import drilled
from tests.e2e.world import API_SERVICE, World

pytestmark = pytest.mark.netns
BROKEN, CHANGED, RECOVERED = "broken", "changed", "recovered"
# Minutes from an alarm to its message.
_PROMISED = 3
# Minutes after the end in which nothing more is sent.
_QUIET = 4


class Arrived(NamedTuple):
    """One message, as the event's detail. minute: of the stack."""

    minute: int
    detail: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        return self.detail["transition"], self.detail["code"]


class Reports:
    """What the Planner has sent since this was made."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._texts, self._series = stack, len(stack.messages), len(stack.series)
        self.arrived: list[Arrived] = []
        stack.events()

    def minutes(self, count: int) -> list[Arrived]:
        first = len(self.arrived)
        for _ in range(count):
            pages = self._stack.minutes(1)
            assert {page.alarm for page in pages} <= {"certificates", "audit"}, pages
            self.arrived += [Arrived(self._stack.minute, event["detail"]) for event in self._stack.events()]
        return self.arrived[first:]

    def until(self, transition: str, codes: Iterable[str], within: int) -> dict[str, Arrived]:
        """Code -> its message, when each has one. Raises AssertionError."""
        wanted = set(codes)
        for _ in range(within):
            found = {one.detail["code"]: one for one in self.arrived if one.detail["transition"] == transition}
            if wanted <= found.keys():
                self._check(found.values())
                return found
            self.minutes(1)
        raise AssertionError(f"{transition}: {wanted - found.keys()} not within {within} minutes: {found.keys()}")

    def _check(self, found: Iterable[Arrived]) -> None:
        """People got the same text at the topic of its tier; what is broken is told soon after its alarm."""
        texts = {(message.text, message.tier) for message in self._stack.messages[self._texts :]}
        for one in found:
            assert (one.detail["text"], one.detail["tier"]) in texts
            assert len(one.detail["text"].splitlines()) < 12
            if one.detail["transition"] == BROKEN:
                assert 0 <= one.minute - self._alarm(one.detail["cause"]) <= _PROMISED, one.detail["headline"]

    def _alarm(self, cause: dict[str, Any]) -> int:
        """The minute in which the first alarm about a cause turned on."""
        names = {target["name"] for target in cause["targets"]}
        return min(
            minute
            for minute, _, attributes in self._stack.series[self._series :]
            if attributes.get("Target") in names or attributes.get("SubnetId") in cause.get("where", ())
        )


def commands_of(stack: Stack, message: Arrived) -> list[str]:
    """The AWS commands of a message's text; where there are too many for it, of the command that it prints."""
    lines = message.detail["text"].splitlines()
    title = next(i for i, line in enumerate(lines) if line.startswith("Fix"))
    printed = [line for line in lines[title + 1 :] if line.startswith(("aws ", "egressprobe "))]
    if printed[0].startswith("aws "):
        return [line for line in printed if line.startswith("aws ")]
    words = printed[0].split()
    done = stack.run("-m", *words, "-o", "json", expect=3)
    causes = [cause for cause in json.loads(done.stdout)["causes"] if cause["code"] == message.detail["code"]]
    return list(causes[0]["remedySteps"]["fix"])


@pytest.fixture(autouse=True)
def _everything_passes(account):
    """A printed command opens what the cause needs, and no more; the next scenario begins with all of it open."""
    yield
    account.repair()


@pytest.fixture(scope="module")
def causes(stack):
    """The same stack with the default: the Planner sends."""
    stack.subscribe_to_events()
    stack.deploy(TargetNotifications="causes")
    stack.settle()
    yield stack
    stack.deploy(TargetNotifications="true")
    stack.settle()


def test_a_drill(causes):
    """Two messages of the Planner, which say that it is one; no alarm pages."""
    before, pages, messages = causes.planned(), len(causes.pages), len(causes.messages)
    outcome = drilled(causes)
    assert outcome.kept, str(outcome)
    subjects = [message.subject for message in causes.messages[messages:]]
    assert [subject.partition(":")[0] for subject in subjects] == ["[PAGE] prod", "[RECOVERED] prod"]
    assert all("this is a drill" in subject for subject in subjects)
    assert (causes.planned(), causes.pages[pages:]) == (before, [])


class Fault(NamedTuple):
    """A server's. target: its name. do: what the message says to do, which `repair` does."""

    target: str
    code: str
    do: str
    breaks: Callable[[World], Any]
    repair: Callable[[World], Any]
    tier: str = PAGE


SERVERS = (
    Fault("policy.example:8443", "connect_refused", "Start the server",
          lambda world: world.stop("policy"), lambda world: world.start("policy")),
    Fault("hook-0.example:8443", "CONFIG_ALLOWS_BUT_NO_REPLY", "Ask the owner of the address",
          lambda world: world.silence("hook-0"), lambda world: world.serve("hook-0")),
    Fault("hook-1.example:8443", "tls_unknown_authority", "Put the issuing CA into the webhook's caBundle",
          lambda world: world.serve("hook-1", authority=make_authority("other")), lambda world: world.serve("hook-1")),
    Fault("hook-2.example:8443", "tls_cert_expired", "Renew the certificate",
          lambda world: world.serve("hook-2", days=-1), lambda world: world.serve("hook-2")),
    Fault("hook-3.example:8443", "dns_nxdomain", "Associate the private hosted zone",
          lambda world: world.forget("hook-3"), lambda world: world.remember("hook-3")),
    Fault("admission-svc.admission.svc", "SERVICE_WITHOUT_ENDPOINTS", "Restore the pods",
          lambda world: world.pods("pod-0", ready=False), lambda world: world.pods("pod-0")),
    Fault(API_SERVICE, "http_status", "Correct the path or the provider",
          lambda world: world.aggregate("503 Service Unavailable"), lambda world: world.aggregate()),
)  # fmt: skip


def test_seven_servers_and_one_that_fails_open(causes, cluster):
    """All at once: a message for each, of its own; each is repaired as its message says."""
    reports = Reports(causes)
    for fault in SERVERS:
        fault.breaks(cluster)
    messages = reports.until(BROKEN, {fault.code for fault in SERVERS}, within=9)
    for fault in SERVERS:
        detail = messages[fault.code].detail
        assert [target["name"] for target in detail["cause"]["targets"]] == [fault.target]
        assert (detail["tier"], fault.target in detail["headline"]) == (PAGE, True)
        assert fault.do in detail["text"], detail["text"]
    cluster.stop("audit")
    reports.minutes(12)
    opens = reports.arrived[len(SERVERS) :]
    assert [(one.key, one.detail["tier"]) for one in opens] == [((BROKEN, "connect_refused"), NOTICE)]
    assert [target["name"] for target in opens[0].detail["cause"]["targets"]] == ["audit.example:8443"]
    for fault in SERVERS:
        fault.repair(cluster)
    cluster.start("audit")
    reports.until(RECOVERED, messages, within=12)
    reports.minutes(_QUIET)
    expected = [(transition, fault.code) for transition in (BROKEN, RECOVERED) for fault in SERVERS]
    expected += [(BROKEN, "connect_refused"), (RECOVERED, "connect_refused")]
    assert sorted(one.key for one in reports.arrived) == sorted(expected)


def _told(detail: dict[str, Any], code: str, element: str, subnets: list[str]) -> None:
    assert detail["tier"] == PAGE
    assert element in json.dumps(detail["cause"]), (code, element)
    assert sorted(detail["cause"]["where"]) == sorted(subnets)


ONE_SUBNET = {
    "a black hole, and an ACL that denies what leaves": (
        ("ROUTE_BLACKHOLE", lambda breaks: breaks.black_hole(1)),
        ("NACL_EGRESS_DENIED", lambda breaks: breaks.acl_denies_leaving(2)),
    ),
    "a deleted NAT gateway, and an ACL that denies the answers": (
        ("ROUTE_BLACKHOLE", lambda breaks: breaks.no_nat_gateway(1)),
        ("NACL_EPHEMERAL_DENIED", lambda breaks: breaks.acl_denies_answers(2)),
    ),
}


@pytest.mark.parametrize("pair", ONE_SUBNET.values(), ids=ONE_SUBNET)
def test_a_fault_in_each_of_two_subnets(causes, account, pair):
    """One message each, with its subnet, its element and who changed it; the printed commands make both subnets well."""
    reports, breaks = Reports(causes), Breaks(account)
    elements = {code: make(breaks) for code, make in pair}
    messages = reports.until(BROKEN, elements, within=9)
    for (code, element), subnet in zip(elements.items(), account.subnets, strict=False):
        _told(messages[code].detail, code, element, [subnet])
        assert "deployer" in messages[code].detail["text"]
    reports.minutes(3)
    for message in messages.values():
        carry_out(commands_of(causes, message))
    account.follow()
    reports.until(RECOVERED, elements, within=12)
    reports.minutes(_QUIET)
    assert sorted(one.key for one in reports.arrived) == sorted(
        (t, code) for t in (BROKEN, RECOVERED) for code in elements
    )


WHOLE_VPC = {
    "no group lets anything out": ("SG_EGRESS_DENIED", Breaks.groups_let_nothing_out),
    "the VPC's resolver is off": ("VPC_DNS_SUPPORT_OFF", Breaks.no_dns),
}


@pytest.mark.parametrize(("code", "make"), WHOLE_VPC.values(), ids=WHOLE_VPC)
def test_a_fault_of_the_whole_vpc(causes, account, code, make):
    """One message, with both subnets."""
    reports = Reports(causes)
    element = make(Breaks(account))
    message = reports.until(BROKEN, {code}, within=9)[code]
    _told(message.detail, code, element, account.subnets[:2])
    reports.minutes(3)
    carry_out(commands_of(causes, message))
    account.follow()
    reports.until(RECOVERED, {code}, within=12)
    reports.minutes(_QUIET)
    assert [one.key for one in reports.arrived] == [(BROKEN, code), (RECOVERED, code)]


def test_a_missing_route_whose_call_is_listed_late(causes, account):
    """CloudTrail lists it after the first message: a second one names the call and its caller."""
    reports = Reports(causes)
    control("/trail/forget", {})  # the scenario before deleted and made the same route, to repair it
    control("/trail", 400)
    table = Breaks(account).no_route(1)
    missing = reports.until(BROKEN, {"ROUTE_NO_EGRESS"}, within=9)["ROUTE_NO_EGRESS"]
    _told(missing.detail, "ROUTE_NO_EGRESS", table, account.subnets[:1])
    assert "DeleteRoute" not in missing.detail["text"]
    changed = reports.until(CHANGED, {"ROUTE_NO_EGRESS"}, within=20)["ROUTE_NO_EGRESS"]
    assert "deployer/session called DeleteRoute" in changed.detail["headline"]
    carry_out(commands_of(causes, changed))
    account.follow()
    reports.until(RECOVERED, {"ROUTE_NO_EGRESS"}, within=12)
    reports.minutes(_QUIET)
    control("/trail", 0)
    assert [one.key for one in reports.arrived] == [(t, "ROUTE_NO_EGRESS") for t in (BROKEN, CHANGED, RECOVERED)]
