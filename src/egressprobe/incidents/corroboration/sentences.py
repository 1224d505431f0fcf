"""What the comparison with the real API server says about some targets, for messages. Pure."""

from collections.abc import Iterable

from msgspec.structs import replace

from egressprobe.catalog.advice import KEPT_CONNECTIONS
from egressprobe.catalog.findings_cluster import API_SERVER_DISAGREES
from egressprobe.incidents.corroboration.facts import Corroboration
from egressprobe.incidents.model import ObservedCause

# Sentences of one cause: many targets may have one each.
_MOST_SENTENCES = 2


def evidence_for(corroboration: Corroboration, targets: Iterable[str]) -> tuple[str, ...]:
    """Sentences for a message about these targets, each once; the last is KEPT_CONNECTIONS where the API server passes.

    Empty where nothing is known of them: then nothing is said.
    """
    names = set(targets)
    sentences = [text for name, texts in corroboration.evidence.items() if name in names for text in texts]
    kept = any(
        finding.code == API_SERVER_DISAGREES.code
        and "although probes pass" not in str(finding.evidence.get("reason"))
        and names & set(finding.evidence.get("targets") or ())
        for finding in corroboration.findings
    )
    return (*dict.fromkeys(sentences), *((KEPT_CONNECTIONS,) if kept else ()))


def with_api_server(causes: Iterable[ObservedCause], corroboration: Corroboration) -> tuple[ObservedCause, ...]:
    """The causes with what the API server itself shows of their targets, after the first of their own sentences."""
    return tuple(_with_sentences(cause, corroboration) for cause in causes)


def _with_sentences(cause: ObservedCause, corroboration: Corroboration) -> ObservedCause:
    sentences = evidence_for(corroboration, [target.name for target in cause.targets])
    kept = tuple(text for text in sentences if text not in cause.evidence and text != KEPT_CONNECTIONS)
    evidence = (*cause.evidence[:1], *kept[:_MOST_SENTENCES], *cause.evidence[1:])
    return replace(cause, evidence=evidence) if kept else cause
