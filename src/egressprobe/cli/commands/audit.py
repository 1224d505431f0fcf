"""`egressprobe audit`: what the VPC's configuration says of the way out, subnet by subnet."""

import argparse
import sys
from typing import Any

from egressprobe.cli.common.exit_codes import EXIT_CODES
from egressprobe.cli.common.parser import add_output, add_region

EXAMPLES = (
    "egressprobe audit --cluster prod -f targets.yaml",
    "egressprobe audit --cluster prod --save vpc.json",
    "egressprobe audit --snapshot vpc.json -o json",
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "audit", help="what the VPC's configuration says of the way out, subnet by subnet"
    )
    parser.add_argument("--cluster", metavar="NAME", help="read it now, as the AWS profile's identity")
    add_region(parser)
    parser.add_argument("--snapshot", metavar="FILE", help="one that was saved before; asks AWS nothing")
    parser.add_argument("--save", metavar="FILE", help="write the snapshot, to audit it again elsewhere")
    parser.add_argument("-f", "--file", help="targets file, YAML or JSON (default: the cluster's issuers)")
    parser.add_argument("--skip", action="append", default=[], metavar="CODE", help="do not tell; may be repeated")
    add_output(parser, ("table", "json", "yaml"))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.commands.audit_source import ask
    from egressprobe.cli.output.formats import render

    audit = ask(
        cluster=options.cluster,
        region=options.region,
        snapshot=options.snapshot,
        save=options.save,
        targets=options.file,
        skip=options.skip,
    )
    print(render(audit, options.output, sys.stdout))
    return EXIT_CODES[audit.verdict]
