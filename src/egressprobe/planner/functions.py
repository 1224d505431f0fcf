"""The functions that the Planner invokes: every probe at once, and Discover.

A probe that fails, is throttled or returns an invalid answer is an error of its own subnet and of nothing else. A
failed discovery is a finding.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.aws.cluster import Surroundings
from egressprobe.aws.eks import Cluster
from egressprobe.catalog.findings_cluster import DISCOVERY_FAILED
from egressprobe.discovery.issuers import with_issuers
from egressprobe.discovery.kubernetes.resources import RESOURCES
from egressprobe.model.discovered import DISCOVERED_SCHEMA, Discovered, TargetKeys
from egressprobe.model.ownership import with_owners
from egressprobe.model.report import Report
from egressprobe.planner.join import Heard
from egressprobe.planner.settings import MAX_AT_ONCE, Probe

EVERY_LIST = frozenset(resource.plural for resource in RESOURCES)
# An account short of concurrency frees some within seconds. Seconds before each further try.
_TRIES = (1.0, 2.0, 4.0)


class _ProbeResponse(Report, frozen=True, rename="camel"):
    """What a probe returns: a report, and why it is empty where nothing was probed."""

    error: dict[str, str] | None = None


# Made here, in one thread: msgspec (0.22) works out a type at its first use, and two threads that do so at once end the
# process with a segmentation fault.
_REPORTS = msgspec.json.Decoder(_ProbeResponse)


def probe_subnets(
    client: Any, probes: Sequence[Probe], plans: Sequence[dict[str, Any]], misplaced: Mapping[int, dict[str, Any]]
) -> list[Heard]:
    """Sends each plan to each probe; a `Heard` per probe, in their order. misplaced: additions to the plan, by slot."""
    pairs = [(probe, plan | misplaced.get(probe.slot, {})) for probe in probes for plan in plans]
    with ThreadPoolExecutor(min(MAX_AT_ONCE, max(len(pairs), 1))) as pool:
        answers = list(pool.map(lambda pair: _report(client, *pair), pairs))
    return [_heard(probe, answers[i * len(plans) : (i + 1) * len(plans)]) for i, probe in enumerate(probes)]


def run_doctor(client: Any, probes: Sequence[Probe]) -> dict[str, Any]:
    """The result of the action "doctor" in each subnet, by subnet id."""

    def examine(probe: Probe) -> Any:
        body, error = invoke_function(client, probe.function, {"action": "doctor"})
        if error:
            return {"error": error}
        try:
            return msgspec.json.decode(body)
        except ValueError as invalid:
            return {"error": f"the probe's response is not JSON: {invalid}"}

    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        return dict(zip((probe.subnet_id for probe in probes), pool.map(examine, probes), strict=True))


def discover_targets(client: Any, function: str, around: Surroundings) -> tuple[Discovered, frozenset[str]]:
    """What the cluster has now, and what could not be read: lists by plural, and kinds that EKS lists."""
    discovered = Discovered(unread=tuple(EVERY_LIST))
    if around.cluster is not None and not around.leaving:
        discovered = _discover(client, function, around.cluster, around.networks)
    unread = set(discovered.unread)
    if around.cluster is None or around.leaving:
        unread |= {"Cluster"}
    if around.providers is None:
        unread |= {"IdentityProviderConfig"}
    return with_issuers(discovered, around), frozenset(unread)


def _discover(client: Any, function: str, cluster: Cluster, networks: dict[str, list[str]]) -> Discovered:
    if not cluster.endpoint:
        return _failed_discovery(f"the cluster is {cluster.status} and has no endpoint yet")
    event = {
        "action": "discover",
        "cluster": {"name": cluster.name, "endpoint": cluster.endpoint, "certificateAuthority": cluster.authority},
        "networks": networks,
        "remoteNetworks": list(cluster.remote),
        "remotePodNetworks": list(cluster.remote_pods),
    }
    body, error = invoke_function(client, function, event)
    if error is None:
        try:
            discovered = msgspec.json.decode(body, type=Discovered)
            msgspec.convert(discovered.targets, list[TargetKeys])
        except ValueError as invalid:  # msgspec's, and UnicodeDecodeError
            error = f"its response cannot be read: {invalid}"
        else:
            if discovered.schema_version == DISCOVERED_SCHEMA:
                return replace(discovered, targets=with_owners(discovered.targets, discovered.owners))
            error = f"its response is {discovered.schema_version}, not {DISCOVERED_SCHEMA}"
    return _failed_discovery(error)


def _failed_discovery(error: str) -> Discovered:
    summary = f"discovery failed; the targets of the last successful discovery stay in the plan: {error}"
    return Discovered(findings=(DISCOVERY_FAILED.found(summary, {"error": error}),), unread=tuple(EVERY_LIST))


def _heard(probe: Probe, answers: Sequence[Report | str]) -> Heard:
    reports = tuple(answer for answer in answers if isinstance(answer, Report))
    errors = dict.fromkeys(answer for answer in answers if isinstance(answer, str))
    return Heard(probe.subnet_id, probe.availability_zone, reports, "; ".join(errors) or None)


def _report(client: Any, probe: Probe, plan: dict[str, Any]) -> Report | str:
    """The report, or why there is none.

    Decoded straight into structs: 16 responses of 4 MB as dictionaries would not fit the function's memory.
    """
    body, error = invoke_function(client, probe.function, plan)
    if error:
        return error
    try:
        response = _REPORTS.decode(body)
    except ValueError as invalid:  # msgspec's, and UnicodeDecodeError
        return f"the probe's response is not a report: {invalid}"
    if response.error:
        return f"{response.error.get('code')}: {response.error.get('message')}"
    return Report(**{field: getattr(response, field) for field in Report.__struct_fields__})


def invoke_function(client: Any, function: str, event: dict[str, Any]) -> tuple[bytes, str | None]:
    """The function's response, or why there is none."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    payload = json.dumps(event).encode()
    for pause in (*_TRIES, None):
        try:
            response = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
            body: bytes = response["Payload"].read()
            failed = response.get("FunctionError")
            return body, f"the function failed: {body[:500].decode('utf-8', 'replace')}" if failed else None
        except ClientError as error:
            if error.response["Error"]["Code"] != "TooManyRequestsException" or pause is None:
                return b"", f"the function could not be invoked: {error}"
            time.sleep(pause)
        except (BotoCoreError, ResponseParserError, OSError) as error:
            return b"", f"the function could not be invoked: {error}"
        except KeyError as error:
            return b"", f"the function could not be invoked: Lambda's response lacks {error}"
    raise AssertionError("unreachable")
