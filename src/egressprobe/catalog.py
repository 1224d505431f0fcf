"""Everything egressprobe can say, in one ordered catalogue: `explain`, docs/findings.md and the README read it.

An entry says what a code means, how to confirm it by hand and how to mend it. Failures (lower case) say what
one call met; findings (upper case) say what is worth a person's time beside the verdict.
"""

from typing import Any, Literal

import msgspec

from egressprobe.catalog_failures import FAILURES, Entry
from egressprobe.report import Finding

DOCS = "docs/findings.md"


class FindingEntry(Entry, frozen=True, kw_only=True):
    """A finding: `degrades` a verdict that would pass, or only tells."""

    severity: Literal["error", "warning", "info"]
    degrades: bool


FINDINGS: dict[str, FindingEntry] = {
    entry.code: entry
    for entry in (
        FindingEntry(
            "ADDRESS_DEAD",
            "one of the addresses does not take a call",
            "A name with several addresses, or a service with several endpoints, has at least one that fails while "
            "another works. kube-apiserver dials addresses of one family strictly one after the other and gives a "
            "silent one 30 s / n of its time whatever timeoutSeconds says, so some calls fail or crawl.",
            "egressprobe run URL -o json | jq '.results[].attempts[] | {address, failure}'",
            "Take the dead address out of DNS or out of the service, or open the path to it; check the security "
            "group and NACL of the subnet it is in.",
            severity="warning",
            degrades=True,
        ),
        FindingEntry(
            "CALL_SLOW",
            "the call needs more than half of the time it may take",
            "It passes, but a slightly worse day makes it `context deadline exceeded`.",
            "Compare the phase times in the table: the slow phase names the suspect.",
            "Raise timeoutSeconds of the webhook (30 at most), or mend the slow phase.",
            severity="warning",
            degrades=True,
        ),
        FindingEntry(
            "CERT_EXPIRES_SOON",
            "a certificate of the presented chain ends soon",
            "Less than seven days or a fifth of its life is left. When it ends every call fails with "
            "`x509: certificate has expired or is not yet valid`.",
            "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -enddate",
            "Renew the certificate; for cert-manager: kubectl get certificate -A, then cmctl renew.",
            severity="warning",
            degrades=True,
        ),
        FindingEntry(
            "DNS_SLOW",
            "the lookup costs half of the call's time or more",
            "Go waits for both the A and the AAAA answer. A name server that drops AAAA queries costs about 10 s while "
            "A looks healthy; a dead first name server costs 5 s on every lookup.",
            "dig @RESOLVER HOST AAAA +tries=1 +time=5",
            "Let the name server answer AAAA (an empty answer is enough), or take the dead server out of the DHCP "
            "options set: aws ec2 describe-dhcp-options.",
            severity="warning",
            degrades=True,
        ),
        FindingEntry(
            "DNS_VIEWS_DIFFER",
            "two name servers of the VPC disagree about a name",
            "The resolvers in resolv.conf and the VPC resolver give answers of different kinds: one knows the name and "
            "the other does not, or one gives private and the other public addresses. Which one the API server asks "
            "decides where its call goes.",
            "dig @169.254.169.253 HOST; dig @OTHER HOST",
            "Make one view right: a private hosted zone associated with the VPC, or a Route 53 Resolver rule; with an "
            "EKS interface endpoint, oidc.eks.REGION.amazonaws.com needs its own answer.",
            severity="warning",
            degrades=False,
        ),
        FindingEntry(
            "NO_POSITIVE_CONTROL",
            "nothing proves that this vantage can reach anything",
            "A target that must be blocked counts as blocked only while something else works from the same place. "
            "Otherwise a dead network would look like a perfect firewall.",
            "Look at the other targets of the run: does any connect?",
            "Give the target a `control` (tcp://host:port that must work), or add a target that passes.",
            severity="info",
            degrades=False,
        ),
        FindingEntry(
            "REPORT_REDUCED",
            "the report was cut to fit a synchronous response",
            "Certificate chains, then single queries and attempts are left out above 4 MB. Verdicts are whole.",
            "Ask for fewer targets at once.",
            "Probe the target of interest by itself.",
            severity="info",
            degrades=False,
        ),
        FindingEntry(
            "SERVER_ERROR_STATUS",
            "the server in front answers 502, 503 or 504",
            "The path works up to a load balancer or proxy, which has nothing healthy behind it. The probe asked for "
            "`/`, not for the webhook's own path, so the real call may differ.",
            "curl -skI https://HOST/",
            "Look at the load balancer's target health: aws elbv2 describe-target-health --target-group-arn ARN",
            severity="warning",
            degrades=True,
        ),
    )
}


def finding(code: str, summary: str, evidence: dict[str, Any]) -> Finding:
    """A finding with its catalogue text. Raises KeyError for a code that is not in the catalogue."""
    entry = FINDINGS[code]
    return Finding(
        code=code,
        severity=entry.severity,
        summary=summary,
        evidence=evidence,
        remedy=entry.mend,
        docs=f"{DOCS}#{code.lower()}",
    )


def lookup(code: str) -> Entry | None:
    """The entry for a failure or finding code, in any case."""
    return FINDINGS.get(code.upper()) or FAILURES.get(code.lower())


def all_entries() -> tuple[Entry, ...]:
    return (*FAILURES.values(), *FINDINGS.values())


def struct_dict(entry: Entry) -> dict[str, Any]:
    """An entry as plain data, for JSON output."""
    return {"schemaVersion": "egressprobe/explain/v1", **msgspec.to_builtins(entry)}
