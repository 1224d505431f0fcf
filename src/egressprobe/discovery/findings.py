"""The findings of one discovery: lists that could not be read, objects that are not probed, calls that always fail."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_cluster import ANNOTATION_IGNORED, EKS_MANAGED, OBJECT_MALFORMED, OBJECT_NOT_PROBED
from egressprobe.catalog.findings_webhook import (
    CA_BUNDLE_UNUSABLE,
    SERVICE_IS_THE_API_SERVER,
    SERVICE_NOT_FOUND,
    SERVICE_PORT_NOT_FOUND,
    SERVICE_TYPE_UNSUPPORTED,
    SERVICE_WITHOUT_ENDPOINTS,
    URL_PORT_INVALID,
)
from egressprobe.discovery.callers import EKS_MANAGED_REASON, NotProbed
from egressprobe.discovery.kubernetes.objects import Malformed
from egressprobe.discovery.kubernetes.resources import Resource
from egressprobe.discovery.kubernetes.responses import unreadable
from egressprobe.discovery.targets import TargetSet
from egressprobe.model.discovered import LeftOut
from egressprobe.model.report import Finding


class Concern(NamedTuple):
    """An object, and what is wrong with it."""

    object: str
    why: str


MOST_EVIDENCE = 1000  # objects named in one finding
_MOST_REASONS = 3  # in a summary; all of them are in the evidence
# What a refusal of a target may name.
_REFUSALS = {
    entry.code: entry
    for entry in (
        CA_BUNDLE_UNUSABLE,
        SERVICE_IS_THE_API_SERVER,
        SERVICE_NOT_FOUND,
        SERVICE_PORT_NOT_FOUND,
        SERVICE_TYPE_UNSUPPORTED,
        SERVICE_WITHOUT_ENDPOINTS,
        URL_PORT_INVALID,
    )
}


def findings_of(
    *,
    troubles: Sequence[Finding],
    unusable: Sequence[Malformed | NotProbed],
    more_unusable: Mapping[Resource, int],
    made: TargetSet,
    left: Sequence[LeftOut],
    review: Sequence[Finding] = (),
    bad_annotations: Sequence[Malformed] = (),
) -> tuple[Finding, ...]:
    """troubles: of lists.

    review: on webhooks and endpoints. bad_annotations: by object and key.
    more_unusable: how many objects of a list are beyond those in `unusable`.
    """
    distinct = {(finding.code, finding.summary): finding for finding in troubles}
    findings = sorted(distinct.values(), key=lambda finding: (finding.code, finding.summary))
    findings += about_objects(OBJECT_MALFORMED, [entry for entry in unusable if isinstance(entry, Malformed)])
    findings += about_objects(ANNOTATION_IGNORED, bad_annotations)
    not_probed = [entry for entry in unusable if isinstance(entry, NotProbed)]
    findings += about_objects(OBJECT_NOT_PROBED, [*not_probed, *made.not_probed])
    findings += [
        unreadable(resource, f"{more} more objects cannot be read or probed").finding
        for resource, more in more_unusable.items()
    ]
    for raw in (raw for raw in made.refused if raw["refusal"]["finding"] in _REFUSALS):
        error = raw["refusal"]["error"]
        evidence = {"target": raw["name"], "error": error, "objects": raw["objects"][:MOST_EVIDENCE]}
        findings.append(_REFUSALS[raw["refusal"]["finding"]].found(f"{raw['name']}: {error}", evidence))
    managed = [entry for entry in left if entry.why == EKS_MANAGED_REASON]
    return (*findings, *review, *about_objects(EKS_MANAGED, managed))


def about_objects(entry: FindingEntry, objects: Sequence[Malformed | NotProbed | LeftOut | Concern]) -> list[Finding]:
    """One finding for all objects of a kind, by reason; each object's own reason is in the evidence."""
    reasons = dict(sorted((item.object, item.why) for item in objects))
    if not reasons:
        return []
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    parts = [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {reason}"
        for reason, names in by_reason.items()
    ]
    if len(parts) > _MOST_REASONS:
        rest = sum(len(names) for names in list(by_reason.values())[_MOST_REASONS:])
        parts[_MOST_REASONS:] = [f"{rest} more for other reasons"]
    evidence: dict[str, Any] = {"objects": dict(list(reasons.items())[:MOST_EVIDENCE]), "count": len(reasons)}
    return [entry.found("; ".join(parts), evidence)]
