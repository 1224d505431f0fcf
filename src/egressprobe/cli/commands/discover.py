"""`egressprobe discover`: the targets of a cluster, as a file that `run -f` reads."""

import argparse
from typing import Any

from egressprobe.cli.common.exit_codes import BAD_INPUT, INTERRUPTED, NOT_SURE, OK, OUR_ERROR, TEXT, message
from egressprobe.cli.common.parser import add_output, add_region, add_timeout, check_timeout

EXAMPLES = (
    "egressprobe discover --cluster prod > targets.yaml",
    "egressprobe discover --context staging > targets.yaml",
    "egressprobe discover --kubeconfig ~/.kube/config --context staging -o json",
)
EXIT_TEXT = {
    OK: "every list was read; the targets are printed",
    OUR_ERROR: TEXT[OUR_ERROR],
    BAD_INPUT: TEXT[BAD_INPUT],
    NOT_SURE: "some lists could not be read; what was found is printed",
    INTERRUPTED: "interrupted; what was read by then is printed",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "discover", help="the targets of a cluster, as a file that run -f reads"
    )
    parser.add_argument("--cluster", metavar="NAME", help="read EKS and the API server, as the AWS profile's identity")
    add_region(parser)
    parser.add_argument(
        "--kubeconfig",
        metavar="FILE",
        help="read the API server of a kubeconfig (default, as kubectl: KUBECONFIG, ~/.kube/config, or this pod)",
    )
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: the current one)")
    parser.add_argument(
        "--from", dest="folder", metavar="DIR", help="a directory of recorded lists, for example services.json"
    )
    add_timeout(parser, "seconds")
    add_output(parser, ("yaml", "json"))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.inputs.discover_source import discover
    from egressprobe.cli.output.targets_yaml import to_json, to_yaml

    check_timeout(options.timeout)
    discovery = discover(
        cluster=options.cluster,
        region=options.region,
        kubeconfig=options.kubeconfig,
        context=options.context,
        folder=options.folder,
        seconds=options.timeout,
    )
    for finding in discovery.discovered.findings:
        message(f"{finding.code}: {finding.summary}")
    yaml = options.output == "yaml"
    discovered, facts = discovery.discovered, discovery.facts
    print(to_yaml(discovered, facts, discovery.origin) if yaml else to_json(discovered, facts))
    if discovery.interrupted:
        message("egressprobe: interrupted; what was read by then is printed")
        return INTERRUPTED
    return NOT_SURE if discovered.unread else OK
