"""The built artifact under the Lambda Runtime Interface Emulator, against real servers in a network namespace."""

import msgspec
import pytest

from egressprobe.lab.certs import issue, make_authority
from egressprobe.lab.dns import DnsServer, Records, serve_zone
from egressprobe.lab.servers import HttpServer, Loop, server_context
from egressprobe.model.report import Report
from tests.support.aws import emf
from tests.support.aws.lambdas import deployed
from tests.support.peers import namespaces as network

pytestmark = [pytest.mark.netns, pytest.mark.artifact]
CA = make_authority("ca")
HERE = {"EGRESSPROBE_CLUSTER_NAME": "prod", "EGRESSPROBE_SUBNET_ID": "subnet-0a"}


@pytest.fixture(scope="module")
def targets():
    """A good webhook, a silent one and a name that does not exist, in the world."""
    with network.world(), Loop(network.enter_world) as loop:
        good = loop.start(HttpServer(network.LIVE[0], 8443, tls=server_context(issue(CA, ("good.lab",)))))
        zone = {"good.lab": Records(a=(good.address,)), "silent.lab": Records(a=(network.SILENT,))}
        loop.start(DnsServer(serve_zone(zone), network.DNS, 53))
        hook = {"kind": "webhook", "caBundle": CA.pem, "timeoutSeconds": 30}
        yield [
            hook | {"name": "good", "url": "https://good.lab:8443/"},
            hook | {"name": "silent", "url": "https://silent.lab:8443/"},
            hook | {"name": "nx", "url": "https://nx.lab:8443/"},
        ]


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("function"), timeout=30, **HERE) as one:
        yield one


def plan(*targets):
    return {"targets": list(targets), "resolvers": [network.DNS]}


def test_on_demand(function, targets):
    answer = function.invoke(plan(targets[0], targets[2]))
    report = msgspec.convert(answer, Report)
    assert [str(one.verdict) for one in report.results] == ["pass", "fail"]
    assert report.vantage.subnet_id == "subnet-0a"
    assert "_aws" not in function.printed()


def test_schedule(function, targets):
    """EMF on the function's stdout, every document valid."""
    function.invoke({"source": "schedule", "plan": plan(targets[0], targets[2])})
    good, nx, _, whole = emf.documents(function.printed())
    assert (good["Target"], emf.metrics(good)) == ("good", {"ProbeSuccess": 1})
    assert emf.metrics(nx) == {"ProbeSuccess": 0}
    assert (whole["ClusterName"], whole["SubnetId"]) == ("prod", "subnet-0a")
    assert emf.metrics(whole)["TargetsMeasured"] == 2


def test_bad_event(function):
    answer = function.invoke({"targets": [{"kind": "webhook", "name": "x", "url": "http://x/"}]})
    assert answer["error"] == {
        "code": "target_invalid",
        "message": 'targets[0].url: "http://x/" must begin with https://',
    }


def test_doctor(function):
    answer = function.invoke({"action": "doctor", "name": "good.lab"})
    assert answer["schemaVersion"] == "egressprobe/doctor/v1"
    assert answer["kernelTimes"] == {"tcpInfo": True, "receiveStamps": True}


def test_a_function_of_three_seconds_with_silent_targets(tmp_path, targets):
    """The report leaves before the function is killed, and the metrics are complete."""
    silent = [targets[1] | {"name": f"silent-{i}"} for i in range(12)]
    with deployed(tmp_path, timeout=3, **HERE) as function:
        answer = function.invoke({"source": "schedule", "plan": plan(targets[0], *silent)})
        assert answer["summary"] == {"pass": 1, "degraded": 0, "fail": 0, "unknown": 12}
        documents = emf.documents(function.printed())
    assert [document.get("Target") for document in documents] == ["good", None, None]
    assert emf.metrics(documents[-1])["TargetsUnknown"] == 12
