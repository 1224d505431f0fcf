"""deploy/deployer-policy.json for another prefix, path, stack name and for roles of one's own."""

import json
from pathlib import Path
from typing import Any

from egressprobe.stack.access.parameters import DEFAULT_NAME_PREFIX
from egressprobe.stack.access.roles import OWN_ROLES, StackPlace, stack_pattern

_FILE = Path(__file__).parents[4] / "deploy" / "deployer-policy.json"
_DEFAULT = f"{DEFAULT_NAME_PREFIX}-*"


def deployer_policy(place: StackPlace, given: dict[str, str]) -> dict[str, Any]:
    """The policy for whoever deploys this stack. given: its parameters, which are checked."""
    document: dict[str, Any] = json.loads(_FILE.read_text())
    own = [given[name] for name in OWN_ROLES if given.get(name)]
    unused = {"DiscoverRoleArn"} if given.get("Discovery") == "false" else set()
    makes_roles = any(not given.get(name) for name in OWN_ROLES.keys() - unused)
    statements = []
    for statement in document["Statement"]:
        if "iam:CreateRole" in statement["Action"] and not makes_roles:
            continue
        resources = [_renamed(arn, place, given) for arn in statement["Resource"]]
        if statement["Action"] == ["iam:PassRole"]:
            resources = own + (resources if makes_roles else [])
        statements.append(statement | {"Resource": resources})
    return document | {"Statement": statements}


def _renamed(arn: str, place: StackPlace, given: dict[str, str]) -> str:
    """An ARN of the file, whose names are the default ones."""
    prefix, path = given.get("NamePrefix", DEFAULT_NAME_PREFIX), given.get("RolePath", "/")
    of_stack = _DEFAULT if place.stack.startswith(_DEFAULT[:-1]) else stack_pattern(place.stack)
    made = f"{prefix}-*" if prefix != DEFAULT_NAME_PREFIX else of_stack
    for before, after in (
        (f":function:{DEFAULT_NAME_PREFIX}-", f":function:{prefix}-"),
        (f":log-group:/{DEFAULT_NAME_PREFIX}/", f":log-group:/{prefix}/"),
        (f":schedule-group/{DEFAULT_NAME_PREFIX}-", f":schedule-group/{prefix}-"),
        (f":schedule/{DEFAULT_NAME_PREFIX}-", f":schedule/{prefix}-"),
        (f":role/{_DEFAULT}", f":role{path}{made}"),
        (f":rule/{_DEFAULT}", f":rule/{made}"),
        (f":sns:REGION:ACCOUNT:{_DEFAULT}", f":sns:REGION:ACCOUNT:{made}"),
        (f":stack/{_DEFAULT}", f":stack/{_DEFAULT if of_stack == _DEFAULT else f'{place.stack}/*'}"),
    ):
        arn = arn.replace(before, after)
    known = arn.replace("REGION", place.region).replace("ACCOUNT", place.account)
    return known.replace("arn:aws:", f"arn:{place.partition}:", 1)
