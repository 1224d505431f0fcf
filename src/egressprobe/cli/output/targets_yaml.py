"""Discovered targets as a file that `run -f` reads: YAML with a comment on the origin of each, or JSON."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from egressprobe.model.discovered import Discovered
from egressprobe.model.ownership import with_owners
from egressprobe.model.target import TARGETS_SCHEMA

_MOST_LEFT = 5  # the API server serves some thirty APIServices itself


def document(discovered: Discovered, facts: dict[str, Any]) -> dict[str, Any]:
    """The targets file as data. facts: of the cluster, for the head of the file."""
    bundles = {"bundles": discovered.bundles} if discovered.bundles else {}
    return {
        "schemaVersion": TARGETS_SCHEMA,
        **facts,
        **bundles,
        "targets": list(with_owners(discovered.targets, discovered.owners)),
    }


def to_json(discovered: Discovered, facts: dict[str, Any]) -> str:
    return json.dumps(document(discovered, facts), indent=2, ensure_ascii=False)


def to_yaml(discovered: Discovered, facts: dict[str, Any], origin: str) -> str:
    """origin: what was read, for the head."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Certificates as blocks, and no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    def represent(dumper: Any, data: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    Dumper.add_representer(str, represent)

    def dump(data: Any) -> str:
        text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
        return text.rstrip("\n")

    head = document(discovered, facts)
    targets, bundles = head.pop("targets"), head.pop("bundles", None)
    lines = [
        f"# Found by egressprobe discover in {one_line(origin)}: {_totals(targets)}.",
        dump(head),
        "targets:" if targets else "targets: []",
    ]
    for raw in targets:
        lines += _comments(raw)
        lines.append(dump([raw]))
    # Certificates last: a reader wants the targets.
    return "\n".join((*lines, *_rest(discovered), *([dump({"bundles": bundles})] if bundles else [])))


def _totals(targets: Sequence[dict[str, Any]]) -> str:
    kinds = Counter(raw["kind"] for raw in targets)
    by_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(targets)} target{'s' * (len(targets) != 1)}{f' ({by_kind})' if by_kind else ''}"


def _comments(raw: dict[str, Any]) -> Iterator[str]:
    """What calls it and what it affects; the refusal where nothing is dialled."""
    first, *others = raw["objects"]
    more = f" and {len(others)} more" if others else ""
    yield one_line(f"# From {first}{more}: {raw['affects'] or 'never called'}")
    if "refusal" in raw:
        yield one_line(f"# Fails before anything is dialled: {raw['refusal']['error']}")


def _rest(discovered: Discovered) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for left_out in discovered.left:
        by_reason.setdefault(left_out.why, []).append(left_out.object)
    for reason, objects in by_reason.items():
        more = len(objects) - _MOST_LEFT
        yield f"# Not probed, {one_line(reason)}:"
        yield from (f"#   {one_line(name)}" for name in objects[:_MOST_LEFT])
        if more > 0:
            yield f"#   and {more} more"
    for finding in discovered.findings:
        if finding.severity != "info":
            yield f"# {finding.code}: {one_line(finding.summary)}"


def one_line(text: str) -> str:
    """Text out of the cluster must not end a comment, or reach a terminal as a control sequence."""
    return "".join(c if c.isprintable() else "?" for c in text)
