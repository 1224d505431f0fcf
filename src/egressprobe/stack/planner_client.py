"""`egressprobe invoke`: ask a stack's Planner for a probe from every subnet, now.

The caller needs `cloudformation:DescribeStacks` on the stack and `lambda:InvokeFunction` on the Planner, nothing else:
who may invoke a probe itself has network access with the cluster's security groups.
"""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import Joined
from egressprobe.stack.cloudformation import outputs

# The Planner's own limit (template.yaml) and the way there.
_SECONDS = 310


def invoke(stack: str, targets: Sequence[str], region: str | None) -> Joined:
    """The joined report. Raises InputError for a stack or targets that are not there, AwsError for the rest."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
    except ImportError:
        raise InputError("", "boto3 is missing: pip install 'egressprobe[cli]'") from None
    event: dict[str, Any] = {"action": "probe"} | ({"targets": list(targets)} if targets else {})
    try:
        session = boto3.Session(region_name=region)
        planner = outputs(session.client("cloudformation"), stack)["PlannerFunction"]
        answer = call(session, planner, event)
    except NoRegionError:
        raise InputError("--region", "is missing, and neither AWS_REGION nor the profile names one") from None
    except (BotoCoreError, ClientError) as error:
        raise AwsError(str(error)) from error
    if "error" in answer:
        raise InputError("", str(answer["error"].get("message", answer["error"])))
    return msgspec.convert(answer, Joined)


def call(session: Any, planner: str, event: dict[str, Any]) -> dict[str, Any]:
    """The Planner's answer. Raises AwsError where it failed, and botocore's exceptions."""
    from botocore.config import Config

    # One try: a second would do it all again.
    once = Config(read_timeout=_SECONDS, retries={"total_max_attempts": 1})
    answer = session.client("lambda", config=once).invoke(FunctionName=planner, Payload=json.dumps(event).encode())
    body = answer["Payload"].read()
    if answer.get("FunctionError"):
        raise AwsError(f"the Planner failed: {body[:500].decode('utf-8', 'replace')}")
    found: dict[str, Any] = json.loads(body)
    return found
