"""The broken VPC among the examples is what its builder makes, and shows what the README says it shows."""

import os

import yaml

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import AclEntry, from_json, to_json
from egressprobe.targets.plan import read_plan
from tests.conftest import ROOT
from tests.support.vpc.snapshots import PODS, WEB, A, acl, clean

FILE = ROOT / "docs" / "examples" / "broken-vpc.json"


def broken():
    """The way back open on Linux's ports only, and the webhook's port denied from one of two subnets."""
    held = clean(names={"policy.example.com": (WEB,)})
    ephemeral = AclEntry(100, False, True, 6, "0.0.0.0/0", (32768, 60999)), AclEntry(110, False, False, 6, "0.0.0.0/0")
    pods = AclEntry(90, False, False, 6, "10.0.1.0/24", (9443, 9443))
    return acl(acl(held, A, *ephemeral), PODS, pods)


def test_the_file_is_what_the_builder_makes():
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_bytes(to_json(broken()))
    assert from_json(FILE.read_bytes()) == broken()


def test_it_shows_what_is_broken():
    targets = read_plan(yaml.safe_load((ROOT / "docs" / "examples" / "broken-vpc-targets.yaml").read_text())).targets
    found = audit(broken(), targets)
    states = {row.target.name: [cell.state for cell in row.cells] for row in found.rows}
    assert states == {"policy.example.com": ["partial", "open"], "pods.hooks.svc": ["closed", "open"]}
    assert [one.code for one in found.findings] == ["NACL_EPHEMERAL_DENIED", "NACL_INGRESS_DENIED"]
