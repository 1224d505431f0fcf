"""What people ask a stack's Planner: probe from every subnet now, which incidents are open, acknowledge a target.

The caller needs `lambda:InvokeFunction` on the Planner and what finds it: `cloudformation:DescribeStacks` on the stack
where one is named, `lambda:GetFunctionConfiguration` on the Planner where that is. Permission to invoke a probe itself
is network access with the cluster's security groups.
"""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from egressprobe.incidents.answer import OpenIncidents
from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import Joined
from egressprobe.stack.aws_answers import failures_as_lines, field
from egressprobe.stack.deployment import planner_of, session_for

# The Planner's own limit (template.yaml) and the network.
_SECONDS = 310
_MAX_BY = 100


def invoke(stack: str, targets: Sequence[str], region: str | None) -> Joined:
    """The joined report. Raises InputError for an unknown stack or target, AwsError for everything else."""
    session, planner = _planner(stack, region)
    return probe_by(session, planner, targets)


def open_incidents(stack: str, region: str | None) -> OpenIncidents:
    """Evaluated now. Raises as `invoke`."""
    return _about_incidents(*_planner(stack, region), {"action": "incidents"})


def acknowledged(stack: str, region: str | None) -> OpenIncidents:
    """What is remembered, without an evaluation. Raises as `invoke`."""
    return _about_incidents(*_planner(stack, region), {"action": "acknowledge", "targets": []})


def acknowledge(stack: str, region: str | None, targets: Sequence[str], *, until: str, note: str) -> OpenIncidents:
    """Acknowledges targets until then (RFC 3339); an empty `until` takes it back. It names the caller by STS.

    Raises as `invoke`; a name that is not in the inventory is in `refused`.
    """
    session, planner = _planner(stack, region)
    event = {"action": "acknowledge", "targets": list(targets), "until": until, "by": _caller(session), "note": note}
    return _about_incidents(session, planner, event)


def _planner(stack: str, region: str | None) -> tuple[Any, str]:
    """stack: as --stack takes it."""
    session = session_for(stack, region)
    return session, planner_of(session, stack)


def _caller(session: Any) -> str:
    """ROLE/SESSION, or the user's name, at most _MAX_BY characters: the Planner takes no more. Empty where STS does not
    answer, which is not worth a refusal.

    No permission is needed: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    try:
        with failures_as_lines():
            arn = str(field(session.client("sts").get_caller_identity(), "GetCallerIdentity", "Arn"))
    except AwsError:
        return ""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    return (name or kind)[:_MAX_BY]


def _about_incidents(session: Any, planner: str, event: dict[str, Any]) -> OpenIncidents:
    with failures_as_lines():
        response = call_planner(session, planner, event)
    if "error" in response:
        text = _reason(response["error"])
        if text.startswith("event.action"):
            raise InputError("--stack", "its Planner is older than this command and has no incidents; deploy it again")
        raise InputError("", text)
    try:
        return msgspec.convert(response, OpenIncidents)
    except msgspec.ValidationError as invalid:
        raise AwsError(f"the Planner's response is not about incidents of this version: {invalid}") from None


def _reason(error: Any) -> str:
    return str(error.get("message", error) if isinstance(error, dict) else error)


def probe_by(session: Any, planner: str, targets: Sequence[str] = ()) -> Joined:
    """The joined report of a Planner; targets: names, none for all. Raises as `invoke`."""
    event: dict[str, Any] = {"action": "probe"} | ({"targets": list(targets)} if targets else {})
    with failures_as_lines():
        response = call_planner(session, planner, event)
    if "error" in response:
        raise InputError("", _reason(response["error"]))
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
