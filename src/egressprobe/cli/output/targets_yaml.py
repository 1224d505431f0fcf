"""What discovery found as a targets file that `run -f` takes: YAML with a comment on where each comes from, or JSON."""

import json
from collections.abc import Iterator
from typing import Any

from egressprobe.model.discovered import Discovered
from egressprobe.model.target import TARGETS_SCHEMA

_MOST_LEFT = 5  # the API server serves some thirty APIServices itself


def document(found: Discovered, facts: dict[str, Any]) -> dict[str, Any]:
    """The targets file as data. facts: what of the cluster belongs into it."""
    bundles = {"bundles": found.bundles} if found.bundles else {}
    return {"schemaVersion": TARGETS_SCHEMA, **facts, **bundles, "targets": list(found.targets)}


def to_json(found: Discovered, facts: dict[str, Any]) -> str:
    return json.dumps(document(found, facts), indent=2, ensure_ascii=False)


def to_yaml(found: Discovered, facts: dict[str, Any], origin: str) -> str:
    """origin: what was read, for the head."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Certificates as blocks, and no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    def text(dumper: Any, data: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    Dumper.add_representer(str, text)

    def dump(data: Any) -> str:
        said: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
        return said.rstrip("\n")

    whole = document(found, facts)
    targets = whole.pop("targets")
    lines = [
        f"# Found by egressprobe discover in {_line(origin)}.",
        dump(whole),
        "targets:" if targets else "targets: []",
    ]
    for raw in targets:
        lines += _comments(raw)
        lines.append(dump([raw]))
    return "\n".join((*lines, *_rest(found)))


def _comments(raw: dict[str, Any]) -> Iterator[str]:
    """Where it comes from and what hangs on it; the refusal where there is nothing to dial."""
    first, *others = raw["objects"]
    more = f" and {len(others)} more" if others else ""
    yield _line(f"# From {first}{more}: {raw['affects'] or 'never called'}")
    if "refusal" in raw:
        yield _line(f"# Fails before anything is dialled: {raw['refusal']['error']}")


def _rest(found: Discovered) -> Iterator[str]:
    whys: dict[str, list[str]] = {}
    for one in found.left:
        whys.setdefault(one.why, []).append(one.object)
    for why, objects in whys.items():
        more = len(objects) - _MOST_LEFT
        yield f"# Not probed, {_line(why)}:"
        yield from (f"#   {_line(one)}" for one in objects[:_MOST_LEFT])
        if more > 0:
            yield f"#   and {more} more"
    for said in found.findings:
        if said.severity != "info":
            yield f"# {said.code}: {_line(said.summary)}"


def _line(text: str) -> str:
    """A name out of the cluster must not end a comment."""
    return "".join(c if c.isprintable() else "?" for c in text)
