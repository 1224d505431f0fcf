"""`egressprobe preflight`: GO, NO-GO or UNKNOWN for the switch to CUSTOMER_ROUTED, with what decides it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from egressprobe.cli.common.exit_codes import (
    BAD_INPUT,
    FAILED,
    INTERRUPTED,
    NOT_SURE,
    OK,
    OUR_ERROR,
    TEXT,
    message,
)
from egressprobe.cli.common.parser import STACK, add_output, add_rounds, add_vpc, check_rounds
from egressprobe.cli.output.formats import FORMATS
from egressprobe.cli.settings.output import shows_progress
from egressprobe.model.errors import InputError
from egressprobe.readiness.fleet.result import Fleet
from egressprobe.readiness.result import ClusterState, Decision, Preflight

EXAMPLES = (
    "egressprobe preflight --cluster prod",
    "egressprobe preflight --cluster prod --rounds 10 --baseline before.json",
    "egressprobe preflight --cluster prod --local --rounds 1",
    "egressprobe preflight --all-clusters --region eu-west-1 --region us-east-1",
)
EXIT_CODES = {Decision.GO: OK, Decision.NO_GO: FAILED, Decision.UNKNOWN: NOT_SURE}
EXIT_TEXT = {
    OK: "GO: every path that the switch moves passes, every prerequisite is met",
    OUR_ERROR: TEXT[OUR_ERROR],
    BAD_INPUT: TEXT[BAD_INPUT],
    FAILED: "NO-GO: something would break",
    NOT_SURE: "UNKNOWN: not everything that decides was seen",
    INTERRUPTED: TEXT[INTERRUPTED],
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "preflight", help="whether the cluster can be switched to CUSTOMER_ROUTED: GO, NO-GO or UNKNOWN"
    )
    add_vpc(parser, "the cluster to be switched", several=True)
    parser.add_argument(
        "--all-clusters", action="store_true", help="every cluster of the regions, one line each; saves no baseline"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--stack", metavar="NAME", help=f"probe by it (default: the only one of the cluster): {STACK}")
    source.add_argument(
        "--local", action="store_true", help="probe from this computer; the decision is then UNKNOWN at most"
    )
    add_rounds(parser)
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        help="where to save the result for switch, verify and diff (default: egressprobe-baseline-NAME.json)",
    )
    add_output(parser, tuple(dict.fromkeys((*FORMATS[Preflight], *FORMATS[Fleet]))))
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure, print, save. Ctrl-C prints what there is by then, saves nothing, and exits with 130."""
    from egressprobe.cli.inputs.readiness_source import AccountSources
    from egressprobe.cli.output.formats import render
    from egressprobe.readiness.run import preflight

    _check(options)
    if options.all_clusters:
        return _fleet(options)
    sources = AccountSources(
        options.cluster,
        next(iter(options.region), None),
        stack=options.stack,
        local=options.local,
        peer_profiles=options.peer_profile,
    )
    result = preflight(sources, rounds=options.rounds, seconds=options.seconds, say=_say)
    print(render(result, options.output, sys.stdout), flush=True)
    if result.interrupted:
        message("egressprobe: interrupted: the decision is UNKNOWN, and no baseline was saved")
        return INTERRUPTED
    _save(result, options.baseline)
    return EXIT_CODES[result.decision]


def _fleet(options: argparse.Namespace) -> int:
    """Ctrl-C prints what there is by then, and exits with 130."""
    from egressprobe.cli.inputs.fleet_source import AccountFleet, regions_of
    from egressprobe.cli.output.formats import render
    from egressprobe.readiness.fleet.run import fleet_readiness

    regions, sources = regions_of(options.region), AccountFleet(options.peer_profile)
    fleet = fleet_readiness(sources, regions, rounds=options.rounds, seconds=options.seconds, say=_say)
    print(render(fleet, options.output, sys.stdout), flush=True)
    return INTERRUPTED if fleet.interrupted else EXIT_CODES[fleet.decision]


def _check(options: argparse.Namespace) -> None:
    if options.all_clusters:
        given = {name: getattr(options, name) for name in ("cluster", "stack", "local", "baseline")}
        for name in (name for name, value in given.items() if value):
            raise InputError(
                f"--{name}", "does not go with --all-clusters, which finds clusters and their stacks itself"
            )
    elif not options.cluster:
        raise InputError("--cluster", "is missing; give the cluster's name, or --all-clusters")
    elif len(options.region) > 1:
        raise InputError("--region", "a cluster is in one region; several go with --all-clusters")
    kind = Fleet if options.all_clusters else Preflight
    if options.output not in FORMATS[kind]:
        raise InputError("--output", f"{options.output} is not a format of this report; {', '.join(FORMATS[kind])} are")
    check_rounds(options)
    if options.baseline is not None and not Path(options.baseline).parent.is_dir():
        raise InputError("--baseline", f"{Path(options.baseline).parent} is not a directory")


def _say(text: str) -> None:
    """Progress, where a person watches."""
    if shows_progress(sys.stderr):
        message(f"egressprobe: {text}")


def _save(result: Preflight, given: str | None) -> None:
    """A baseline of before the switch is kept unless it is named: it is all that shows how it was before."""
    from egressprobe.readiness.baseline import file_name, save

    path = Path(given if given is not None else file_name(result.cluster.name))
    why = _kept(path, result.cluster) if given is None and path.exists() else ""
    if why:
        message(f"egressprobe: {path} is {why} and was kept; --baseline FILE saves this one")
        return
    save(path, result)
    message(f"egressprobe: baseline saved in {path}")


def _kept(path: Path, now: ClusterState) -> str:
    """What the baseline in the default place is, if another one must not replace it there."""
    from egressprobe.readiness.baseline import load

    try:
        known = load(path).cluster
    except InputError:
        return ""
    if known.arn != now.arn:
        return f"of {known.arn}"
    if known.mode != now.mode:
        return f"of {known.mode} mode"
    # The mode changes at the end of the update.
    updating = now.status == "UPDATING" or now.update not in ("", "unknown")
    return "of before the update that is in progress" if updating and not known.update else ""
