"""What other functions and the schedules answer, damaged: it costs the answer, never the plan."""

import json
import subprocess
import sys

import pytest

from egressprobe.aws.cluster import Surroundings
from egressprobe.aws.eks import described
from egressprobe.planner.functions import discover_targets, probe_subnets, run_doctor
from egressprobe.planner.last_known import NOTE, last_known
from egressprobe.planner.settings import Probe
from tests.conftest import ROOT
from tests.support.aws import answers

AROUND = Surroundings(described(answers.EKS["describe_cluster"]["cluster"]), [], {}, [])
PROBE = Probe(0, "subnet-a", "eu-west-1a", "arn:probe")
TARGET = {"kind": "webhook", "name": "d", "url": "https://d.example/", "objects": ["ValidatingWebhookConfiguration/d"]}
SCHEMA = "egressprobe/discovered/v1"


def functions(body):
    return answers.AnsweringClient("lambda", {"invoke": {"Payload": body}})


@pytest.mark.parametrize(
    "body",
    [
        b'"\xed\xa0\x80"',
        b"[" * 100_000,
        *(
            json.dumps({"schemaVersion": SCHEMA, "targets": [TARGET | changed]}).encode()
            for changed in ({"name": 5}, {"objects": []}, {"objects": ["x", 5]}, {"objects": "x"}, {"caBundleRef": []})
        ),
        json.dumps({"schemaVersion": SCHEMA, "targets": [{"kind": "webhook"}]}).encode(),
    ],
)
def test_a_discovery_that_cannot_be_read_failed(body):
    """The last known targets stay in the plan then."""
    discovered, unread = discover_targets(functions(body), "arn:discover", AROUND)
    assert "DISCOVERY_FAILED" in [finding.code for finding in discovered.findings]
    assert "its response cannot be read" in discovered.findings[0].summary
    assert "validatingwebhookconfigurations" in unread


def test_a_probe_whose_response_is_no_text_is_an_error_of_its_subnet():
    [heard] = probe_subnets(functions(b'{"x": "\xff"}'), [PROBE], [{}], {})
    assert "the probe's response is not a report" in heard.error


@pytest.mark.parametrize("body", [b'{"x": NaN}', b'{"x": "\xff"}', b"", b'{"x": 1e999}'])
def test_the_doctors_answer_is_json_or_an_error(body):
    """What is returned is written as JSON again, which has no NaN."""
    assert "is not JSON" in run_doctor(functions(body), [PROBE])["subnet-a"]["error"]


def stored(**plan):
    return {"Target": {"Input": json.dumps({"plan": {"targets": [TARGET]} | plan})}}


@pytest.mark.parametrize(
    "schedule",
    [
        {"Target": []},
        {"Target": {"Input": 5}},
        {"Target": {"Input": "[" * 100_000}},
        stored(targets=5),
        stored(targets=["d"]),
        stored(targets=[TARGET | {"objects": []}, TARGET | {"name": 5}, TARGET | {"caBundleRef": {}}]),
        stored(retired={"x": 5}),
        stored(bundles=[]),
    ],
)
def test_a_schedule_that_cannot_be_read_is_skipped(schedule):
    whole = {"s00-all": stored(kubeVersion="1.33", retired={"y": "2026-01-01T00:00:00+00:00"})}
    found = last_known({"a-odd": schedule, **whole, NOTE: schedule})
    assert [target["name"] for target in found.targets] == ["d"]
    assert (found.facts, set(found.retired)) == ({"kubeVersion": "1.33"}, {"y"})


def test_a_time_without_an_offset_is_none():
    """It cannot be compared with the present."""
    content = json.dumps({"readAt": "2026-01-01T00:00:00", "claim": "r", "claimedAt": "2026-01-01"})
    note = last_known({NOTE: {"Target": {"Input": content}}}).note
    assert (note.read_at, note.claimed_at) == (None, None)


def test_facts_of_other_types_are_left_out():
    """They would go into every plan, and a probe refuses such a plan as a whole."""
    assert last_known({"s00-all": stored(kubeVersion=1.33, ipFamily="ipv4")}).facts == {"ipFamily": "ipv4"}


_AT_ONCE = """
import sys, threading
from egressprobe.aws.lists import _TYPES
from egressprobe.planner.functions import _REPORTS
import msgspec

sys.setswitchinterval(1e-6)
report = open("tests/data/report.json", "rb").read()
started = threading.Barrier(8)


def work():
    started.wait()
    _REPORTS.decode(report)
    for kind in _TYPES.values():
        try:
            msgspec.convert([{"id": "x", "gate": "nat", "kind": "internet"}], kind)
        except msgspec.ValidationError:
            pass


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("_again", range(4))
def test_responses_are_decoded_in_threads(_again):
    """In a process of its own: msgspec's first use of a type in two threads at once ended one of five such processes."""
    done = subprocess.run([sys.executable, "-c", _AT_ONCE], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
