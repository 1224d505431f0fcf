"""A file of AWS CLI commands as a plan: each line's call, in order. Nothing is run.

Of the shell it takes: comments, lines that go on after a backslash, `&&` and `;` between commands, output that is piped
or redirected, `set`, `export`, and variables: `NAT=$(aws ec2 create-nat-gateway ...)` names what is created. An id that
only AWS can assign may also be written as egressprobe prints it: <NEW_NAT> is what the last create-nat-gateway creates.
"""

import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from egressprobe.audit.whatif.plan import (
    EVERYTHING,
    NAMES,
    ChangePlan,
    KnownAfterApply,
    PlannedCall,
    PlannedStep,
    Unmodelled,
)
from egressprobe.aws.commands.options import CommandCall, parse
from egressprobe.model.errors import InputError, short

# Prefixes of the ids of what an operation creates.
_CREATES = {
    "CreateNatGateway": "nat",
    "CreateInternetGateway": "igw",
    "CreateEgressOnlyInternetGateway": "eigw",
    "CreateVpnGateway": "vgw",
    "CreateRouteTable": "rtb",
    "CreateNetworkAcl": "acl",
    "CreateSecurityGroup": "sg",
    "CreateSubnet": "subnet",
    "CreateVpcEndpoint": "vpce",
    "CreateVpcPeeringConnection": "pcx",
    "CreateTransitGatewayVpcAttachment": "tgw-attach",
    "CreateDhcpOptions": "dopt",
    "CreateManagedPrefixList": "pl",
    "AssociateRouteTable": "rtbassoc",
    "ReplaceRouteTableAssociation": "rtbassoc",
    "ReplaceNetworkAclAssociation": "aclassoc",
    "AllocateAddress": "eipalloc",
    "CreateNetworkInterface": "eni",
}
_ASSIGNMENT = re.compile(r"(?:(?:export|local|readonly|declare)\s+)?([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SUBSTITUTION = re.compile(r"[\"']?(?:\$\(\s*(.*?)\s*\)|`\s*(.*?)\s*`)[\"']?", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
# What egressprobe prints for what a command before creates (audit/changes/change.py), with or without quotes.
_PRINTED = re.compile(r"([\"']?)<([A-Z][A-Z0-9_]*)>\1")
_NEW = {
    "NEW_NAT": "nat",
    "NEW_ROUTE_TABLE": "rtb",
    "NEW_NETWORK_ACL": "acl",
    "NEW_INTERNET_GATEWAY": "igw",
    "NEW_EGRESS_ONLY_GATEWAY": "eigw",
    "NEW_ATTACHMENT": "tgw-attach",
    "NEW_DHCP_OPTIONS": "dopt",
}
# What is written instead of a value that is not known yet.
_PLACEHOLDER = re.compile(r"\$\{?[A-Za-z_]\w*|<[^<>]+>")
_SKIPPED = ("set", "echo", "printf", "sleep", "export", "exit", "true", ":", "unset", "wait", "shopt", "trap")
# Services besides EC2 that touch paths, and which.
_OTHER_SERVICES = {"route53": NAMES, "route53resolver": NAMES} | dict.fromkeys(
    ("network-firewall", "vpc-lattice", "networkmanager", "directconnect", "ram"), EVERYTHING
)
_MOST_LINES = 10_000


class _ScriptLine(NamedTuple):
    number: int
    text: str


def read_script(text: str, name: str) -> ChangePlan:
    """Raises InputError that names the line."""
    steps: list[PlannedStep] = []
    ignored = 0
    reading = _ScriptReading()
    for line in _lines(text):
        place = f"{name} line {line.number}"
        try:
            for words, variable in _commands(_PRINTED.sub(reading.printed, line.text)):
                call = parse(reading.filled(words[1:]))
                step = reading.step(line.number, words, call, variable)
                if step is None:
                    ignored += 1
                else:
                    steps.append(step)
            reading.assign(line.text)
        except ValueError as error:
            raise InputError(place, f"{error}") from None
    if len(steps) > _MOST_LINES:
        raise InputError(name, f"has more than {_MOST_LINES} commands")
    return ChangePlan("aws commands", tuple(steps), ordered=True, ids_certain=False, ignored=ignored)


class _ScriptReading:
    """Variables, and how many of a kind were created."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.created: dict[str, int] = {}

    def filled(self, words: list[str]) -> list[str]:
        """With the variables that are known."""

        def value(match: re.Match[str]) -> str:
            return self.variables.get(match[1] or match[2], match[0])

        return [_VARIABLE.sub(value, word) for word in words]

    def printed(self, match: re.Match[str]) -> str:
        """The name of what was created last, or a variable that has no value."""
        prefix = _NEW.get(match[2])
        return _new_name(prefix, max(self.created.get(prefix, 1), 1)) if prefix else f"${match[2]}"

    def assign(self, line: str) -> None:
        """A plain value of a variable."""
        match = _ASSIGNMENT.fullmatch(line.strip())
        if match and not _SUBSTITUTION.match(match[2]):
            words = shlex.split(match[2], comments=True)[:1]
            self.variables[match[1]] = "".join(self.filled(words))

    def step(self, line: int, words: list[str], call: CommandCall, variable: str) -> PlannedStep | None:
        """None for what touches no path."""
        name = f"line {line}: {' '.join(words[1:3])}"
        if call.parameters.get("DryRun") or not call.operation:
            return None
        touches = _OTHER_SERVICES.get(call.service)
        if touches and not call.operation.startswith(("List", "Get", "Describe")):
            return PlannedStep(name, "run", (), (Unmodelled(f"{call.service} is not modelled", frozenset({touches})),))
        if call.service != "ec2" and (call.service, call.operation) != ("eks", "UpdateClusterConfig"):
            return None
        created = self._created(call.operation, variable)
        parameters: dict[str, Any] = _with_unknown(call.parameters)
        return PlannedStep(name, "run", (PlannedCall(call.operation, parameters, created),))

    def _created(self, operation: str, variable: str) -> str:
        """The name of what is created: KIND-NEW, then KIND-NEW-2."""
        prefix = _CREATES.get(operation, "")
        if not prefix:
            return ""
        self.created[prefix] = self.created.get(prefix, 0) + 1
        name = _new_name(prefix, self.created[prefix])
        if variable:
            self.variables[variable] = name
        return name


def _new_name(prefix: str, number: int) -> str:
    return f"{prefix}-NEW" if number == 1 else f"{prefix}-NEW-{number}"


def _with_unknown(value: Any) -> Any:
    """What is still a variable or a placeholder is not known."""
    if isinstance(value, str):
        match = _PLACEHOLDER.search(value)
        return KnownAfterApply(f"{match[0]} is not set by an earlier line") if match else value
    if isinstance(value, dict):
        return {key: _with_unknown(each) for key, each in value.items()}
    return [_with_unknown(each) for each in value] if isinstance(value, list) else value


def _lines(text: str) -> Iterator[_ScriptLine]:
    """Whole commands with the number of their first line: after a backslash, or in quotes, a line goes on."""
    waiting, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if not waiting and (not line.strip() or line.lstrip().startswith("#")):
            start = 0
            continue
        waiting += line
        if waiting.endswith("\\"):
            waiting = waiting[:-1] + " "
            continue
        if _is_open(waiting):
            waiting += "\n"
            continue
        yield _ScriptLine(start, waiting)
        waiting, start = "", 0
    if waiting.strip():
        yield _ScriptLine(start, waiting)


def _is_open(text: str) -> bool:
    try:
        _tokens(text)
    except ValueError:
        return True
    return False


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    return list(lexer)


def _commands(text: str) -> Iterator[tuple[list[str], str]]:
    """The AWS commands of one line, and the variable that gets the output."""
    match = _ASSIGNMENT.fullmatch(text.strip())
    substitution = _SUBSTITUTION.fullmatch(match[2].strip()) if match else None
    if match and substitution:
        inner = substitution[1] or substitution[2]
        yield from ((words, match[1]) for words, _ in _commands(inner))
        return
    if match:
        return
    try:
        tokens = _tokens(text)
    except ValueError as error:
        raise ValueError(f"is not a shell command ({error})") from None
    for words in _split(tokens):
        if words[0] == "aws":
            if len(words) < 3:
                raise ValueError("names no service and operation")
            yield words, ""
        elif words[0] not in _SKIPPED:
            raise ValueError(f'"{short(words[0])}" is not an aws command, and what it does is not known')


def _split(tokens: list[str]) -> Iterator[list[str]]:
    """Commands between `&&`, `||`, `;` and `&`; what follows a pipe or a redirection is left out."""
    words: list[str] = []
    to_output = False
    for text in tokens:
        operator = bool(text) and set(text) <= set("|&;<>")
        if text in ("&&", "||", ";", "&"):
            if words:
                yield words
            words, to_output = [], False
        elif operator:
            to_output = True
        elif not to_output:
            words.append(text)
    if words:
        yield words
