"""`egressprobe discover`: the targets a cluster really has, as a file that `run -f` takes."""

import argparse
from typing import Any

from egressprobe.cli.common.exit_codes import NOT_SURE, OK, message
from egressprobe.cli.common.parser import add_output, add_region, add_timeout, check_timeout


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "discover", help="the targets a cluster really has, as a file that run -f takes"
    )
    parser.add_argument("--cluster", metavar="NAME", help="ask EKS and the API server, as the AWS profile's identity")
    add_region(parser)
    parser.add_argument("--kubeconfig", metavar="FILE", help="ask the API server that a kubeconfig names")
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig; default: its current one")
    parser.add_argument("--from", dest="folder", metavar="DIR", help="recorded lists, PLURAL.json each")
    add_timeout(parser, "seconds")
    add_output(parser, ("yaml", "json"))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.commands.discover_source import ask
    from egressprobe.cli.output.targets_yaml import to_json, to_yaml

    check_timeout(options.timeout)
    asked = ask(
        cluster=options.cluster,
        region=options.region,
        kubeconfig=options.kubeconfig,
        context=options.context,
        folder=options.folder,
        seconds=options.timeout,
    )
    for finding in asked.found.findings:
        message(f"{finding.code}: {finding.summary}")
    yaml = options.output == "yaml"
    print(to_yaml(asked.found, asked.facts, asked.origin) if yaml else to_json(asked.found, asked.facts))
    return NOT_SURE if asked.found.unread else OK
