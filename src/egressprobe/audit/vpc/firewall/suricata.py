"""Suricata rules as text, read into what can be judged of them.

Suricata User Guide, rules/intro (action, header, options), rules/meta, rules/flow-keywords, rules/tls-keywords,
rules/payload-keywords, rules/transforms (dotprefix). What is not read here stays in `unjudged`: such a rule may match
or not, and nothing is concluded from it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Keywords without influence on what a rule matches (rules/meta), or on the action (noalert, alert: logging only).
_NO_EFFECT = frozenset(
    {*("msg", "sid", "rev", "gid", "classtype", "reference", "metadata", "target", "priority"), "noalert", "alert"}
)
_FLOW = {
    "to_server": "to_server",
    "from_client": "to_server",
    "to_client": "to_client",
    "from_server": "to_client",
    **{name: name for name in ("established", "not_established", "stateless", "no_frag")},
}
# Network Firewall Developer Guide, rule-action.
ACTIONS = ("pass", "drop", "reject", "alert")
_MOST_SHOWN = 60  # characters
_SNI, _CONTENT = ("tls.sni", "tls_sni"), "content"
_MODIFIERS = ("nocase", "startswith", "endswith", "fast_pattern")
_ARROW = re.compile(r"\s*(->|<>)\s*")
_HEADER_WORDS = 7
_PROTOCOL_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "sctp": 132}


class SniContent(NamedTuple):
    """A content match on the server name."""

    text: str
    negated: bool = False
    nocase: bool = False
    startswith: bool = False
    endswith: bool = False


class SuricataRule(NamedTuple):
    """What is read of one rule.

    flow: words of the keyword, in their to_ form. hello: ssl_state:client_hello. sni: contents that the server name
    must have, with a dot put before it where `dotted`. protocols: of ip_proto, number and whether it is negated.
    applications: of app-layer-protocol. unjudged: other keywords; needs_data: they look at data.
    label: what people are shown instead of sid and group.
    """

    action: str
    protocol: str
    source: str = "any"
    source_ports: str = "any"
    both_ways: bool = False
    destination: str = "any"
    destination_ports: str = "any"
    flow: frozenset[str] = frozenset()
    sni: tuple[SniContent, ...] = ()
    by_name: bool = False
    dotted: bool = False
    hello: bool = False
    protocols: tuple[tuple[int, bool], ...] = ()
    applications: tuple[tuple[str, bool], ...] = ()
    unjudged: tuple[str, ...] = ()
    needs_data: bool = False
    priority: int = 3
    sid: str = ""
    group: str = ""
    label: str = ""

    @property
    def whole_flow(self) -> bool | None:
        """Whether the action is for the whole connection (User Guide, rules/rule-types, "Action Scope").

        None where that is not documented, or where AWS says otherwise (suricata-rule-evaluation-order).
        """
        if self.is_ip_only or self.by_name:
            return True
        if self.hello or self.unjudged:
            return None
        if self.flow & {"established", "not_established"}:
            return False
        return True if not self.flow and (self.protocol in ("tls", "ssl") or self.applications) else None

    @property
    def is_ip_only(self) -> bool:
        """Judged once for each direction (suricata-limitations-caveats); with `!` in the header for every packet."""
        layers = ("ip", "tcp", "udp", "icmp", "ipv4", "ipv6", "ip4", "ip6", "icmpv4", "icmpv6", "tcp-pkt", "tcp-stream")
        others = self.flow or self.by_name or self.hello or self.applications or self.protocols or self.unjudged
        return self.protocol in layers and not others

    @property
    def words(self) -> str:
        if self.label:
            return self.label
        rule = f"sid {self.sid}" if self.sid else f"the rule `{self.action} {self.protocol}`"
        return f"{rule} of {self.group}" if self.group else rule


def read_rules(text: str, group: str) -> tuple[list[SuricataRule], list[str]]:
    """The rules in their order; and the lines that are no rule of a known form, each cut to 60 characters."""
    rules: list[SuricataRule] = []
    failed: list[str] = []
    for line in _lines(text):
        rule = _read_rule(line, group)
        if rule is None:
            failed.append(line[:_MOST_SHOWN])
        else:
            rules.append(rule)
    return rules, failed


def _read_rule(line: str, group: str) -> SuricataRule | None:
    header, _, rest = line.partition("(")
    body, closing, behind = rest.rpartition(")")
    words = _words(_ARROW.sub(r" \1 ", header))
    options = _options(body)
    if not closing or behind.strip() or options is None or len(words) != _HEADER_WORDS:
        return None
    action, protocol, source, source_ports, arrow, destination, ports = words
    if arrow not in ("->", "<>") or action.lower() not in ACTIONS:
        return None
    both_ways = arrow == "<>"
    rule = SuricataRule(
        action.lower(), protocol.lower(), source, source_ports, both_ways, destination, ports, group=group
    )
    return _with_options(rule, options)


def _words(text: str) -> list[str]:
    """Separated by blanks; those inside brackets separate nothing."""
    words, depth = [""], 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if not character.isspace():
            words[-1] += character
        elif depth <= 0 and words[-1]:
            words.append("")
    return [word for word in words if word]


def _lines(text: str) -> Iterator[str]:
    """Rules, one a line; a backslash at the end continues it; `#` begins a comment."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = line.strip()
        if bare and not bare.startswith("#"):
            yield bare


def _options(text: str) -> list[tuple[str, str]] | None:
    """Keyword and value of each option. Semicolons in quotes, or behind a backslash, end none. None: another form."""
    options: list[tuple[str, str]] = []
    current, quoted, escaped = "", False, False
    for character in text:
        if character == ";" and not quoted and not escaped:
            keyword, _, value = current.partition(":")
            options.append((keyword.strip().lower(), value.strip()))
            current = ""
            continue
        quoted ^= character == '"' and not escaped
        escaped = character == "\\" and not escaped
        current += character
    return None if current.strip() or quoted else options


def _with_options(rule: SuricataRule, options: list[tuple[str, str]]) -> SuricataRule:
    buffer = ""
    for keyword, value in options:
        if keyword == "sid":
            rule = rule._replace(sid=value)
        elif keyword == "priority" and value.isascii() and value.isdigit():
            rule = rule._replace(priority=int(value))
        elif keyword in _NO_EFFECT:
            continue
        elif keyword == "flow":
            rule = _flow(rule, value)
        elif keyword in _SNI:
            buffer, rule = keyword, rule._replace(by_name=True)
        elif keyword == "dotprefix" and buffer in _SNI and not rule.sni:
            rule = rule._replace(dotted=True)
        elif keyword == _CONTENT and buffer in _SNI:
            rule = _content(rule, value)
        elif keyword in _MODIFIERS and buffer in _SNI and rule.sni:
            *before, last = rule.sni
            rule = rule._replace(sni=(*before, _modified(last, keyword)))
        elif keyword == "ssl_state" and value == "client_hello":
            rule = rule._replace(hello=True)
        elif keyword == "ip_proto":
            rule = _ip_protocol(rule, value)
        elif keyword == "app-layer-protocol":
            negated, name = value.startswith("!"), value.removeprefix("!").strip().lower()
            rule = (
                _unjudged(rule, keyword)
                if "," in name
                else rule._replace(applications=(*rule.applications, (name, negated)))
            )
        else:
            # Another sticky buffer, or a content of the payload: both need data.
            buffer = keyword if "." in keyword else buffer
            looks_at_data = "." in keyword and not keyword.startswith(("tcp.", "ipv4.", "ipv6.", "ip."))
            negated = value.startswith("!")
            rule = _unjudged(rule, keyword, data=(looks_at_data or keyword == _CONTENT) and not negated)
    return rule


def _unjudged(rule: SuricataRule, keyword: str, *, data: bool = False) -> SuricataRule:
    return rule._replace(unjudged=(*rule.unjudged, keyword), needs_data=rule.needs_data or data)


def _flow(rule: SuricataRule, value: str) -> SuricataRule:
    words = [word.strip().lower() for word in value.split(",")]
    known = frozenset(_FLOW[word] for word in words if word in _FLOW)
    rule = rule._replace(flow=rule.flow | known)
    return rule if len(known) == len(set(words)) else _unjudged(rule, f"flow:{value}")


def _content(rule: SuricataRule, value: str) -> SuricataRule:
    negated, text = value.startswith("!"), value.removeprefix("!").strip()
    plain = re.fullmatch(r'"([^"|\\;]+)"', text)  # hexadecimal bytes and escapes are not read
    if plain is None:
        return _unjudged(rule, "content")
    return rule._replace(sni=(*rule.sni, SniContent(plain[1], negated)))


def _modified(content: SniContent, keyword: str) -> SniContent:
    return SniContent(
        content.text,
        content.negated,
        content.nocase or keyword == "nocase",
        content.startswith or keyword == "startswith",
        content.endswith or keyword == "endswith",
    )


def _ip_protocol(rule: SuricataRule, value: str) -> SuricataRule:
    negated, name = value.startswith("!"), value.removeprefix("!").strip().lower()
    number = int(name) if name.isascii() and name.isdigit() else _PROTOCOL_NUMBERS.get(name)
    if number is None:
        return _unjudged(rule, "ip_proto")
    return rule._replace(protocols=(*rule.protocols, (number, negated)))
