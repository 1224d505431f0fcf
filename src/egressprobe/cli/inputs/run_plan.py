"""What `egressprobe run` is to probe: the targets of every -f FILE, then those of the command line, filtered by -l."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from egressprobe.cli.common.program import program
from egressprobe.cli.inputs.names import targets_named
from egressprobe.model.errors import InputError, os_words, short
from egressprobe.model.target import Kind, Plan
from egressprobe.net.addresses import is_address
from egressprobe.targets.lines import TargetsFile, read_targets
from egressprobe.targets.plan import read_plan, target_from_url

# A name or an address, a port, a path without user-info; not the name of a scheme.
_HOST = re.compile(r"(?!(?:https?|tcp|tls)(?:[:/]|$))(?:[\w.-]+|\[[0-9a-f:.%]+\])(?::\d+)?(?:/[^@]*)?", re.IGNORECASE)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the options of `run` describe. Raises InputError."""
    if not options.file and not options.urls:
        raise InputError("", f"nothing to probe: give URLs or -f FILE (see {program()} run --help)")
    files = [read_targets(name) for name in options.file]
    document = _merged(files)
    if options.timeout_seconds is not None and not 1 <= options.timeout_seconds <= 30:
        raise InputError("--timeout-seconds", f"{options.timeout_seconds} is not in 1..30")
    if options.urls:
        document["targets"] = [*document["targets"], *_entries(options)]
    if options.resolver:
        document["resolvers"] = options.resolver
    if options.kube_version:
        document["kubeVersion"] = options.kube_version
    try:
        plan = read_plan(document)
    except InputError as error:
        raise files[0].located(error) if len(files) == 1 else error from None
    return replace(plan, targets=targets_named(plan.targets, options.names))


def _merged(files: Sequence[TargetsFile]) -> dict[str, Any]:
    """The content of all files as one document. What they say of the run must be the same in all that say it."""
    whole: dict[str, Any] = {"targets": []}
    origin: dict[str, str] = {}
    for file in files:
        name, document = file.name, file.document
        if not isinstance(document, dict) or not isinstance(document.get("targets"), list) or len(files) > 1:
            file.read(read_plan)  # each file is valid by itself
        for key, value in document.items():
            if key == "targets":
                whole[key] = [*whole[key], *value]
            elif key == "bundles" and key in whole:
                whole[key] = _bundles(whole[key], value, name)
            elif key in whole and whole[key] != value:
                raise InputError(name, f"{key} is not the same as in {origin[key]}; probe them in two runs")
            else:
                whole[key] = value
                origin.setdefault(key, name)
    return whole


def _bundles(known: dict[str, Any], more: dict[str, Any], name: str) -> dict[str, Any]:
    for bundle in known.keys() & more.keys():
        if known[bundle] != more[bundle]:
            raise InputError(name, f'bundles: "{short(bundle)}" has other certificates in another file; rename it')
    return known | more


def _entries(options: argparse.Namespace) -> list[dict[str, Any]]:
    bundle = _read_bundle(options.ca_bundle) if options.ca_bundle else None
    return [
        target_from_url(
            url,
            kind=Kind(options.kind) if options.kind and not url.startswith(("tcp://", "tls://")) else None,
            place=f"URL {i + 1}",
            timeout=options.timeout_seconds,
            bundle=bundle if url.startswith(("https://", "tls://")) else None,
        )
        for i, url in enumerate(dict.fromkeys(map(_as_url, options.urls)))
    ]


def _as_url(text: str) -> str:
    """HOST, HOST:PORT and HOST/PATH stand for https://: what the API server calls is.

    A mistyped scheme or user-info is not a host: it is left as it is, and refused where URLs are read.
    """
    if is_address(text) and ":" in text:
        return f"https://[{text}]/"
    if not _HOST.fullmatch(text):
        return text
    return f"https://{text}" if "/" in text else f"https://{text}/"


def _read_bundle(name: str) -> str:
    try:
        text = Path(name).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError("--ca-bundle", f"{name} cannot be read: {os_words(error)}") from None
    if not text.strip():
        raise InputError("--ca-bundle", f"{name} is empty; leave the option out to trust the system roots")
    return text
