"""Damaged plans: a value anywhere in a Terraform plan or a change set is another one. The answer is a result or one line;
what cannot be read of one resource costs no other.
"""

import copy
import json
import os
import random

from egressprobe.audit.whatif.compare import whatif
from egressprobe.cli.inputs.plan_source import _of_document
from egressprobe.model.errors import InputError
from tests.audit.test_whatif import LISTED
from tests.audit.test_whatif_change_sets import CASES
from tests.support.terraform import change, plan
from tests.support.vpc.plans import BASE, DEFAULT, PLANS

MANY = 3000 if os.environ.get("EGRESSPROBE_REQUIRE_ALL") else 150
_VALUES = [None, 7, -1, "", "x", [], {}, [None], [[1]], {"a": 1}, True, 1.5, "10.0.0.0/99", ["rtb-1"], "sg-cluster"]


def _places(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from _places(each, (*path, key))


def _damaged(document, rng):
    damaged = json.loads(json.dumps(document))
    for path in rng.sample(list(_places(damaged)), rng.randint(1, 3)):
        holder = damaged
        try:
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = copy.deepcopy(rng.choice(_VALUES))
        except (LookupError, TypeError):
            continue  # what was there is gone by the change before
    return damaged


def test_a_damaged_plan_is_a_result_or_one_line():
    """Never an error of ours."""
    rng = random.Random(23)
    documents = [case.plan for case in PLANS] + [case[0] for case in CASES.values()]
    results = 0
    for _ in range(MANY):
        try:
            read = _of_document(_damaged(rng.choice(documents), rng), "plan", None)
        except InputError as error:
            assert str(error).startswith("plan: ")
            continue
        whatif(BASE, read, LISTED[:2])
        results += 1
    assert results > MANY // 3


def test_a_resource_that_cannot_be_read_is_unknown_and_the_others_are_tried():
    odd = change("aws_network_acl.odd", "update", before={"id": "acl-subnet-a", "ingress": [7]},
                 after={"id": "acl-subnet-a", "ingress": [8]})  # fmt: skip
    away = change("aws_route.default", "delete", before=DEFAULT | {"nat_gateway_id": "nat-1"})
    result = whatif(BASE, _of_document(plan(odd, away), "plan", None), LISTED[:1])
    assert [(step.name, step.status) for step in result.steps] == [
        ("aws_network_acl.odd", "unmodelled"),
        ("aws_route.default", "applied"),
    ]
    assert "cannot read aws_network_acl.odd" in result.steps[0].why[0]
    assert {path.effect for path in result.paths} == {"unknown"}
