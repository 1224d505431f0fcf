"""What the catalogue is made of: rows of text, and the commands in them. The rows are in failures.py,
failures_connect.py and findings_*.py.

A text is lines. A line that begins with the name of a program is a command, to be copied as it is; all other lines are
sentences. Words in capitals in a command are placeholders: known ones are filled in, the others shown as <NAME>.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from egressprobe.model.remedy import RemedySteps
from egressprobe.model.report import Finding
from egressprobe.net.addresses import is_address

DOCS = "docs/findings.md"
PROGRAMS = frozenset(
    {
        *("aws", "cat", "cmctl", "curl", "date", "dig", "egressprobe", "ip", "kubectl", "make", "nc", "openssl"),
        *("ping", "python", "ss", "sudo", "tracepath", "wc"),
    }
)
PLACEHOLDERS = frozenset(
    {
        *("ACCOUNT", "ACL", "ACTION", "ADDRESS", "ARN", "CLIENT", "CLUSTER", "CONTROL", "DISCOVER_FUNCTION", "DOPT"),
        *("ENDPOINT", "ENI", "FILE", "GROUP", "HOST", "ID", "ISSUER", "JWKS_URI", "KIND", "NAME", "NAMESPACE", "NAT"),
        *("NODE", "OTHER", "OWNER", "PCX", "POD", "POLICY", "PORT", "REGION", "RESOLVER", "RESOURCE", "ROLE", "RTB"),
        *("RULE_GROUP", "SERVICE", "SG", "SUBNET", "SUBNETS", "TGW_RTB", "URL", "VERSION", "VPC", "VPCE", "ZONE"),
    }
)
_NAMES_ARE_HOSTS = ("dig", "openssl")  # to other programs NAME is an object's
_WORD = re.compile(r"\b[A-Z][A-Z_]+\b")
_URL_OF_HOST = re.compile(r"(\S+://)HOST(\S*)")
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]*>")
# The fields of a finding's evidence that a placeholder stands for.
_OF_EVIDENCE = {
    "ACL": ("networkAcl",),
    "ADDRESS": ("address", "remote"),
    "DOPT": ("dhcpOptions",),
    "ENI": ("interface",),
    "NAME": ("name",),
    "NAT": ("nat",),
    "POLICY": ("policy",),
    "PORT": ("port",),
    "RTB": ("routeTable",),
    "RULE_GROUP": ("ruleGroup",),
    "SG": ("groups",),
    "SUBNET": ("subnet",),
    "VPC": ("vpc",),
    "VPCE": ("endpoint",),
}
_OF_TARGET = {"nat-": "NAT", "pcx-": "PCX", "vpce-": "VPCE", "eni-": "ENI"}
# What takes a command back that keeps its options.
_INVERSE_VERBS = {
    "authorize-security-group-egress": "revoke-security-group-egress",
    "authorize-security-group-ingress": "revoke-security-group-ingress",
    "associate-vpc-with-hosted-zone": "disassociate-vpc-from-hosted-zone",
    "attach-role-policy": "detach-role-policy",
    "associate-resolver-rule": "disassociate-resolver-rule",
    "disassociate-resolver-rule": "associate-resolver-rule",
}
# The same by an option's value.
_INVERSE_VALUES = {
    "update-firewall-domains": ("--operation REMOVE", "--operation ADD"),
    "modify-vpc-attribute": ('{"Value":true}', '{"Value":false}'),
    "modify-transit-gateway-vpc-attachment": ("=enable", "=disable"),
}


def is_command(text: str) -> bool:
    """Whether a line of the catalogue or of a remedy is a command."""
    return text.partition(" ")[0] in PROGRAMS


def filled(text: str, values: Mapping[str, str]) -> str:
    """A line with its placeholders filled in; those of a command that are not known become <NAME>."""
    program = text.partition(" ")[0]
    # RFC 3986, section 3.2.2; in quotation marks, for a shell may take the brackets as a pattern.
    if ":" in values.get("ADDRESS", ""):
        text = text.replace("ADDRESS:PORT", "'[ADDRESS]:PORT'")
    if ":" in values.get("HOST", "") and is_address(values["HOST"]):
        text = _URL_OF_HOST.sub(r"'\1[HOST]\2'", text)

    def value(match: re.Match[str]) -> str:
        word = match[0]
        if word in values:
            return values[word]
        if word == "NAME" and "HOST" in values and program in _NAMES_ARE_HOSTS:
            return values["HOST"]
        return f"<{word}>" if word in PLACEHOLDERS else word

    return _WORD.sub(value, text) if is_command(text) else text


def inverse(command: str) -> str | None:
    """The command that takes one of the AWS CLI back, if its own text says all that is needed."""
    program, service, verb, *rest = [*command.split(" ", 3), "", "", ""][:4]
    options = rest[0]
    if program != "aws":
        return None
    if verb in _INVERSE_VERBS:
        return f"aws {service} {_INVERSE_VERBS[verb]} {options}"
    old, new = _INVERSE_VALUES.get(verb, ("", ""))
    if old and old in options:
        return f"aws {service} {verb} {options.replace(old, new)}"
    if verb == "create-route":
        kept = re.findall(r"--(?:route-table-id|destination-\S+) \S+", options)
        return f"aws {service} delete-route {' '.join(kept)}"
    if verb == "create-resolver-rule":
        return f"aws {service} delete-resolver-rule --resolver-rule-id <NEW_RULE>"
    if verb == "create-access-entry":
        kept = re.findall(r"--(?:cluster-name|principal-arn) \S+", options)
        return f"aws {service} delete-access-entry {' '.join(kept)}"
    return None


def steps(check: Sequence[str], remedy: Sequence[str], undo: Sequence[str] | None = None) -> RemedySteps:
    """The lines of how to confirm and to fix something as data. undo: where the commands' own text does not say it."""
    fix = tuple(text for text in remedy if is_command(text) and not _reads(text))
    if undo is None:
        undo = [text for text in map(inverse, reversed(fix)) if text]
    read_only = [text for text in (*check, *remedy) if is_command(text) and (text in check or _reads(text))]
    commands = (*read_only, *fix, *undo)
    return RemedySteps(
        check=tuple(dict.fromkeys(read_only)),
        fix=fix,
        undo=tuple(undo),
        placeholders=tuple(dict.fromkeys(name for text in commands for name in _PLACEHOLDER.findall(text))),
        notes=tuple(text for text in remedy if text and not is_command(text)),
    )


def named(known: RemedySteps | msgspec.UnsetType, values: Mapping[str, str]) -> RemedySteps | msgspec.UnsetType:
    """The steps with further placeholders replaced."""
    if not known:
        return known

    def replaced(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(_PLACEHOLDER.sub(lambda match: values.get(match[0][1:-1], match[0]), text) for text in texts)

    check, fix, undo = replaced(known.check), replaced(known.fix), replaced(known.undo)
    left = tuple(name for name in known.placeholders if name[1:-1] not in values)
    return msgspec.structs.replace(known, check=check, fix=fix, undo=undo, placeholders=left)


_READING = re.compile(r"(kubectl|aws \S+) (get|describe|list)\b")


def _reads(text: str) -> bool:
    return _READING.match(text) is not None


def _of_evidence(evidence: Mapping[str, Any]) -> dict[str, str]:
    """The placeholders that the evidence has a value for, quoted for a shell."""
    values: dict[str, Any] = {
        name: evidence[field] for name, fields in _OF_EVIDENCE.items() for field in fields if evidence.get(field)
    }
    target = evidence.get("target")
    if isinstance(target, str):
        values |= {name: target for prefix, name in _OF_TARGET.items() if target.startswith(prefix)}
    return {
        name: " ".join(shlex.quote(str(item)) for item in (value if isinstance(value, list | tuple) else (value,)))
        for name, value in values.items()
    }


class Entry(msgspec.Struct, frozen=True):
    """What a code means, how to confirm it, how to fix it."""

    code: str
    summary: str
    means: str
    confirm: str
    remedy: str


class FindingEntry(Entry, frozen=True, kw_only=True):
    """A finding: `degrades` a verdict that would pass, or only informs.

    hides: findings, and codes of failures or findings, that follow from this one. People are shown the cause alone;
    JSON has everything (registry.visible).
    """

    severity: Literal["error", "warning", "info"]
    degrades: bool
    hides: tuple["str | FindingEntry", ...] = ()

    @property
    def hidden_codes(self) -> frozenset[str]:
        """The codes of what this finding hides."""
        return frozenset(hidden if isinstance(hidden, str) else hidden.code for hidden in self.hides)

    def found(
        self,
        summary: str,
        evidence: Mapping[str, Any],
        commands: Sequence[str] = (),
        undo: Sequence[str] | None = None,
    ) -> Finding:
        """One case of it: the exact commands that fix it, a line each, come before the catalogue's remedy.

        undo: the commands that take `commands` back, where their own text does not say it.
        """
        values = _of_evidence(evidence)
        check = [filled(text, values) for text in self.confirm.split("\n") if is_command(text)]
        remedy = [filled(text, values) for text in self.remedy.split("\n")]
        return Finding(
            code=self.code,
            severity=self.severity,
            summary=summary,
            evidence=dict(evidence),
            remedy="\n".join((*commands, self.remedy)),
            docs=f"{DOCS}#{self.code.lower()}",
            remedy_steps=steps(check, (*commands, *remedy), undo),
        )
