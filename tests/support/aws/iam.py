"""Whether a role's policies allow a call, by IAM's documented rules: an explicit deny, else an allow, else no."""

from typing import Any

from tests.support.aws.fake_aws import Call
from tests.support.aws.iam_conditions import holds, like


def statements(rendered: Any, role: str) -> list[dict[str, Any]]:
    """Inline policies of a role and policies attached to it by name."""
    own = rendered.of("AWS::IAM::Role")[role]
    documents = [policy["PolicyDocument"] for policy in own.get("Policies", [])]
    name = f"egressprobe-prod-{role}"
    documents += [one["PolicyDocument"] for one in rendered.of("AWS::IAM::Policy").values() if name in one["Roles"]]
    return [statement for document in documents for statement in document["Statement"]]


def actions(statement: dict[str, Any]) -> list[str]:
    said = statement["Action"]
    return [said] if isinstance(said, str) else list(said)


def matches(statement: dict[str, Any], call: Call) -> bool:
    resources = statement["Resource"]
    resources = [resources] if isinstance(resources, str) else resources
    return (
        any(like(call.action.lower(), one.lower()) for one in actions(statement))
        and any(like(call.resource, one) for one in resources)
        and holds(statement.get("Condition", {}), dict(call.context))
    )


def allowed(found: list[dict[str, Any]], call: Call) -> bool:
    effects = {statement["Effect"] for statement in found if matches(statement, call)}
    return effects == {"Allow"}
