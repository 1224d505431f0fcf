"""`egressprobe invoke`: ask a stack's Planner to probe from every subnet, now.

The caller needs `cloudformation:DescribeStacks` on the stack and `lambda:InvokeFunction` on the Planner, nothing else:
permission to invoke a probe itself is network access with the cluster's security groups.
"""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import Joined
from egressprobe.stack.aws_answers import failures_as_lines, field
from egressprobe.stack.cloudformation import outputs

# The Planner's own limit (template.yaml) and the network.
_SECONDS = 310


def invoke(stack: str, targets: Sequence[str], region: str | None) -> Joined:
    """The joined report. Raises InputError for an unknown stack or target, AwsError for everything else."""
    with failures_as_lines():
        import boto3

        session = boto3.Session(region_name=region)
        planner = outputs(session.client("cloudformation"), stack)["PlannerFunction"]
    return probe_by(session, planner, targets)


def probe_by(session: Any, planner: str, targets: Sequence[str] = ()) -> Joined:
    """The joined report of a Planner; targets: names, none for all. Raises as `invoke`."""
    event: dict[str, Any] = {"action": "probe"} | ({"targets": list(targets)} if targets else {})
    with failures_as_lines():
        response = call_planner(session, planner, event)
    if "error" in response:
        reason = response["error"]
        raise InputError("", str(reason.get("message", reason) if isinstance(reason, dict) else reason))
    try:
        return msgspec.convert(response, Joined)
    except msgspec.ValidationError as invalid:
        raise AwsError(f"the Planner's response is not a joined report of this version: {invalid}") from None


def call_planner(session: Any, planner: str, event: dict[str, Any]) -> dict[str, Any]:
    """The Planner's response. Raises AwsError where it failed, and botocore's exceptions."""
    from botocore.config import Config

    # Not retried: a second attempt would do everything again.
    once = Config(read_timeout=_SECONDS, retries={"total_max_attempts": 1})
    answer = session.client("lambda", config=once).invoke(FunctionName=planner, Payload=json.dumps(event).encode())
    body = field(answer, "Invoke", "Payload").read()
    if answer.get("FunctionError"):
        raise AwsError(f"the Planner failed: {body[:500].decode('utf-8', 'replace')}")
    try:
        response = json.loads(body)
    except ValueError as invalid:
        raise AwsError(f"the Planner's response is not JSON: {invalid}") from None
    if not isinstance(response, dict):
        raise AwsError("the Planner's response is not an object")
    return response
