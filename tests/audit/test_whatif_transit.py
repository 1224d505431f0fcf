"""Plans for transit gateways and the VPCs behind them, where the snapshot has both; and the fixes that the audit prints,
tried as a plan.
"""

import json

import pytest
from msgspec.structs import replace

from egressprobe.audit.run import audit
from egressprobe.audit.whatif.compare import whatif
from egressprobe.audit.whatif.terraform.read import read_terraform
from egressprobe.aws.commands.script import read_script
from egressprobe.cli.common.exit_codes import EXIT_CODES
from egressprobe.targets.plan import read_plan
from tests.audit.test_commands import MORE, NAMES
from tests.audit.test_commands import PLAN as EVERY_TARGET
from tests.audit.test_transit import EGRESS, OURS, SERVICE, SERVICES, behind, egress, hub, spokes, world
from tests.support.terraform import change, plan, ref
from tests.support.vpc.broken import BROKEN
from tests.support.vpc.snapshots import WEB, A, B

TARGETS = read_plan(
    {
        "targets": [
            {"kind": "endpoint", "name": name, "url": f"tcp://{address}:443"}
            for name, address in (("web", WEB), ("service", SERVICE))
        ]
    }
).targets
BASE = world(spokes(), hub(), others=(egress(), behind("services", "172.16.0.0/16")))
SPOKES, DEFAULT = {"transit_gateway_route_table_id": "tgw-rtb-spokes"}, {"destination_cidr_block": "0.0.0.0/0"}
EGRESS_ROUTE = SPOKES | DEFAULT | {"transit_gateway_attachment_id": EGRESS, "blackhole": False}
CASES = {
    "the default route away": (
        plan(change("aws_ec2_transit_gateway_route.out", "delete", before=EGRESS_ROUTE)), {"web": "closes"}, 3
    ),
    "the default route to the services": (
        plan(change("aws_ec2_transit_gateway_route.out", "delete", "create", before=EGRESS_ROUTE,
                    after=EGRESS_ROUTE | {"transit_gateway_attachment_id": SERVICES})), {"web": "closes"}, 3),
    "a blackhole before the services": (
        plan(change("aws_ec2_transit_gateway_route.x", "create",
                    after=SPOKES | {"destination_cidr_block": "172.16.5.0/24", "blackhole": True})),
        {"service": "closes"}, 3),
    "a route that is there": (
        plan(change("aws_ec2_transit_gateway_route.x", "create", after=EGRESS_ROUTE)), {}, 4),
    "a static route beside a propagated one": (
        plan(change("aws_ec2_transit_gateway_route.x", "create",
                    after=SPOKES | {"destination_cidr_block": "172.16.0.0/16",
                                    "transit_gateway_attachment_id": SERVICES})), {}, 0),
    "no association": (
        plan(change("aws_ec2_transit_gateway_route_table_association.x", "delete",
                    before=SPOKES | {"transit_gateway_attachment_id": OURS})), {"web": "closes", "service": "closes"}, 3),
    "another table": (
        plan(change("aws_ec2_transit_gateway_route_table_association.x", "delete", "create",
                    before=SPOKES | {"transit_gateway_attachment_id": OURS},
                    after={"transit_gateway_route_table_id": "tgw-rtb-hub", "transit_gateway_attachment_id": OURS})),
        {"web": "closes", "service": "closes"}, 3),
    "a table that is new": (
        plan(change("aws_ec2_transit_gateway_route_table.new", "create", after={"transit_gateway_id": "tgw-1"}),
             change("aws_ec2_transit_gateway_route_table_association.x", "create",
                    after={"transit_gateway_attachment_id": "tgw-attach-other"},
                    refs={"transit_gateway_route_table_id": ref("aws_ec2_transit_gateway_route_table.new.id")})),
        {"web": "unknown", "service": "unknown"}, 4),
    "a route in the VPC behind it": (
        plan(change("aws_route.back", "delete",
                    before={"route_table_id": "rtb-services", "destination_cidr_block": "10.0.0.0/8",
                            "transit_gateway_id": "tgw-1"})), {"service": "closes"}, 3),
    "the NAT gateway of the egress VPC": (
        plan(change("aws_nat_gateway.x", "delete", before={"id": "nat-egress", "subnet_id": "egress-a"})),
        {"web": "closes"}, 3),
    "propagation": (
        plan(change("aws_ec2_transit_gateway_route_table_propagation.x", "delete",
                    before=SPOKES | {"transit_gateway_attachment_id": SERVICES})),
        {"web": "unknown", "service": "unknown"}, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_plan_for_a_transit_gateway(name):
    document, effects, code = CASES[name]
    result = whatif(BASE, read_terraform(json.loads(json.dumps(document))), TARGETS)
    expected = {(target, subnet): effect for target, effect in effects.items() for subnet in (A, B)}
    assert {(path.target, path.subnet): path.effect for path in result.paths} == expected, result
    assert EXIT_CODES[result.verdict] == code, result


def test_both_paths_are_open_before():
    assert [[cell.state for cell in row.cells] for row in audit(BASE, TARGETS).rows] == [["open", "open"]] * 2


def test_the_commands_that_the_audit_prints_close_nothing():
    """Its own fixes, tried as a plan: none is refused, none closes a path, and what they are for opens."""
    tried = 0
    for snapshot in (*(case.snapshot for case in BROKEN), *MORE.values()):
        named = replace(snapshot, names=NAMES | snapshot.names)
        before = audit(named, EVERY_TARGET.targets)
        lines = [line for one in before.findings for line in one.remedy.split("\n") if line.startswith("aws ec2 ")]
        if not lines:
            continue
        result = whatif(named, read_script("\n".join(lines), "fixes"), EVERY_TARGET.targets)
        assert result.summary.closes == 0, (lines, result.paths)
        assert {step.status for step in result.steps} <= {"applied", "no effect"}, (lines, result.steps)
        tried += 1
        if any("addresses" in one.evidence and "aws ec2" in one.remedy for one in before.findings):
            # Of a name server that is no longer used the path ends.
            assert result.summary.opens + result.summary.ends, (lines, result.summary)
    assert tried > 35
