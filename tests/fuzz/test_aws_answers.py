"""What AWS answers, damaged: the snapshot's lists, the cluster, the schedules, the functions.

Invariants: nothing raises but AwsError where there is no VPC to audit; an answer that cannot be understood is a list
that was not read; what a damaged element blocked is never open.
"""

import json
from functools import reduce
from operator import getitem

from botocore.exceptions import ClientError, EndpointConnectionError

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import from_json, to_json
from egressprobe.aws.cluster import look_around
from egressprobe.aws.eks import described
from egressprobe.aws.vpc_snapshot import Readers, read_snapshot
from egressprobe.model.errors import AwsError
from egressprobe.targets.plan import read_plan
from tests.support.aws import answers
from tests.support.aws.answers import SERVICES
from tests.support.mutations import Similar, mutated_value

CLUSTER = described(answers.EKS["describe_cluster"]["cluster"])
# By a transit gateway's blackhole, by an ACL's entry, by a blackhole route, by no rule of the security group.
BLOCKED = {
    "transit": "https://172.20.1.1/",
    "denied": "https://198.51.100.1/",
    "blackhole": "https://203.0.113.1/",
    "port": "https://93.184.216.34:8443/",
}
OPEN = {"open": "https://93.184.216.34/"}
TARGETS = read_plan(
    {"targets": [{"kind": "webhook", "name": name, "url": url} for name, url in (BLOCKED | OPEN).items()]}
).targets
SIMILAR = Similar([*SERVICES.values(), answers.EKS])


def damaged(random, answer):
    """One answer, of other types or shapes, or an error of AWS's."""
    chance = random.random()
    if chance < 0.04:
        error = {"Code": random.choice(("AccessDenied", "Throttling", "InvalidAction", None)), "Message": "no"}
        return ClientError(random.choice(({"Error": error}, {"Error": {}}, {})), "Operation")
    if chance < 0.06:
        return EndpointConnectionError(endpoint_url="https://x")
    return SIMILAR.mutated(random, answer) if chance < 0.4 else mutated_value(random, answer)


def snapshot_of(services):
    clients = Readers(*(answers.AnsweringClient(name, services[name]) for name in SERVICES))
    return read_snapshot(clients, CLUSTER, region=answers.REGION)


def states(snapshot):
    return {(row.target.name, cell.subnet): cell.state for row in audit(snapshot, TARGETS).rows for cell in row.cells}


def test_the_answers_are_what_the_snapshot_reads():
    """Undamaged, every list is read, and what is blocked is blocked."""
    snapshot = snapshot_of(SERVICES)
    assert snapshot.unread == ()
    known = {name: state for (name, _), state in states(snapshot).items()}
    assert {known[name] for name in BLOCKED} == {"closed"}
    assert known["open"] == "open"


def test_vpc_answers(fuzz):
    """A snapshot that can be saved and audited, or AwsError in one line."""

    def check(random):
        services = {name: dict(operations) for name, operations in SERVICES.items()}
        for _ in range(random.choice((1, 1, 2, 4))):
            operations = services[random.choice(("ec2", "ec2", "ec2", *services))]
            operation = random.choice(list(operations))
            operations[operation] = damaged(random, operations[operation])
        try:
            snapshot = snapshot_of(services)
        except AwsError as error:
            assert str(error).isprintable()
            return
        assert from_json(to_json(snapshot)) == snapshot
        audit(snapshot, TARGETS)

    fuzz(check, inputs=20, most_seconds=3.0)


def _without_or_other(random, element):
    """An element without one of its fields, or with a value of another type in it."""
    key = random.choice(list(element))
    rest = {other: value for other, value in element.items() if other != key}
    return rest if random.random() < 0.4 else rest | {key: mutated_value(random, element[key])}


def _is_another_rule(before, after):
    """Another number, protocol, direction or CIDR of the right type is another rule; another word is not a word of EC2."""
    same_type = {key for key, value in after.items() if type(value) is type(before[key]) and value != before[key]}
    return bool(same_type - {"RuleAction", "State", "PortRange", "IpRanges", "FromPort", "ToPort"})


def test_damaged_elements_open_nothing(fuzz):
    """The one element that blocks a target is damaged: the target may be unknown then, never open."""
    paths = {
        "transit": ("search_transit_gateway_routes", ("Routes", 1)),
        "denied": ("describe_network_acls", ("NetworkAcls", 0, "Entries", 4)),
        "blackhole": ("describe_route_tables", ("RouteTables", 1, "Routes", 3)),
        "port": ("describe_security_groups", ("SecurityGroups", 0, "IpPermissionsEgress", 0)),
    }

    def check(random):
        name = random.choice(list(paths))
        operation, (*path, last) = paths[name]
        answer = json.loads(json.dumps(answers.EC2[operation]))
        listed = reduce(getitem, path, answer)
        element = listed[last]
        changed = _without_or_other(random, element)
        if _is_another_rule(element, changed):
            return
        listed[last] = changed
        snapshot = snapshot_of(SERVICES | {"ec2": answers.EC2 | {operation: answer}})
        for (target, _), state in states(snapshot).items():
            assert target != name or state != "open", changed

    fuzz(check, inputs=20, most_seconds=3.0)


def test_cluster_answers(fuzz):
    """Errors of AWS and answers that cannot be understood are findings."""

    def check(random):
        eks, ec2 = dict(answers.EKS), dict(answers.EC2)
        for operation in random.sample([*eks, "describe_subnets"], random.choice((1, 1, 2))):
            operations = eks if operation in eks else ec2
            operations[operation] = damaged(random, operations[operation])
        clients = answers.AnsweringClient("eks", eks), answers.AnsweringClient("ec2", ec2)
        around = look_around(*clients, "prod")
        if around.cluster is not None and not around.leaving:
            try:
                read_snapshot(
                    Readers(*(answers.AnsweringClient(name, SERVICES[name]) for name in SERVICES)),
                    around.cluster,
                    region=answers.REGION,
                )
            except AwsError as error:
                assert str(error).isprintable()
        assert all(finding.summary.isprintable() for finding in around.findings)

    fuzz(check, inputs=40, most_seconds=3.0)
