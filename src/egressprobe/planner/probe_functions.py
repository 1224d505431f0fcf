"""Every probe at once, over Lambda's Invoke API, and what each of them said.

A probe that fails, is throttled, or answers nonsense is an error of its own subnet and of nothing else.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from egressprobe.model.report import Report
from egressprobe.planner.join import Heard
from egressprobe.planner.settings import MAX_AT_ONCE, Probe

# An account short of concurrency frees some within seconds. Seconds before each further try.
_TRIES = (1.0, 2.0, 4.0)


class _Wire(Report, frozen=True, rename="camel"):
    """What a probe sends: a report, and why it is empty where nothing was probed."""

    error: dict[str, str] | None = None


def ask(
    client: Any, probes: Sequence[Probe], plans: Sequence[dict[str, Any]], wrong: Mapping[int, dict[str, Any]]
) -> list[Heard]:
    """Each plan to each probe; a `Heard` a probe, in their order. wrong: what more the plans of a slot say."""
    pairs = [(probe, plan | wrong.get(probe.slot, {})) for probe in probes for plan in plans]
    with ThreadPoolExecutor(min(MAX_AT_ONCE, max(len(pairs), 1))) as pool:
        answers = list(pool.map(lambda pair: _report(client, *pair), pairs))
    return [_heard(probe, answers[i * len(plans) : (i + 1) * len(plans)]) for i, probe in enumerate(probes)]


def ask_doctor(client: Any, probes: Sequence[Probe]) -> dict[str, Any]:
    """What the platform is like in each subnet, by subnet id."""

    def one(probe: Probe) -> Any:
        body, error = invoke(client, probe.function, {"action": "doctor"})
        return {"error": error} if error else json.loads(body)

    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        return dict(zip((probe.subnet_id for probe in probes), pool.map(one, probes), strict=True))


def _heard(probe: Probe, answers: Sequence[Report | str]) -> Heard:
    reports = tuple(one for one in answers if isinstance(one, Report))
    errors = dict.fromkeys(one for one in answers if isinstance(one, str))
    return Heard(probe.subnet_id, probe.availability_zone, reports, "; ".join(errors) or None)


def _report(client: Any, probe: Probe, plan: dict[str, Any]) -> Report | str:
    """The report, or why there is none.

    Decoded straight into structs: 16 answers of 4 MB as dictionaries would not fit the function.
    """
    body, error = invoke(client, probe.function, plan)
    if error:
        return error
    try:
        answer = msgspec.json.decode(body, type=_Wire)
    except msgspec.DecodeError as odd:
        return f"the probe's answer is no report: {odd}"
    if answer.error:
        return f"{answer.error.get('code')}: {answer.error.get('message')}"
    return Report(**{field: getattr(answer, field) for field in Report.__struct_fields__})


def invoke(client: Any, function: str, event: dict[str, Any]) -> tuple[bytes, str | None]:
    """The function's answer, or why there is none."""
    from botocore.exceptions import BotoCoreError, ClientError

    payload = json.dumps(event).encode()
    for pause in (*_TRIES, None):
        try:
            answer = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
            body: bytes = answer["Payload"].read()
            failed = answer.get("FunctionError")
            return body, f"the function failed: {body[:500].decode('utf-8', 'replace')}" if failed else None
        except ClientError as error:
            if error.response["Error"]["Code"] != "TooManyRequestsException" or pause is None:
                return b"", f"the function could not be invoked: {error}"
            time.sleep(pause)
        except BotoCoreError as error:
            return b"", f"the function could not be invoked: {error}"
    raise AssertionError("unreachable")
