"""`egressprobe whatif`: which paths a planned change of the VPC opens and closes, before it is made."""

import argparse
import sys
from typing import Any

from egressprobe.audit.whatif.result import WhatIf
from egressprobe.cli.common.exit_codes import BAD_INPUT, EXIT_CODES, FAILED, INTERRUPTED, NOT_SURE, OK, OUR_ERROR, TEXT
from egressprobe.cli.common.parser import add_names, add_output, add_vpc
from egressprobe.cli.output.formats import FORMATS, show

EXAMPLES = (
    "terraform show -json plan.out | egressprobe whatif --cluster prod --plan -",
    "egressprobe whatif --snapshot vpc.json --plan change.json --template vpc.yaml",
    "egressprobe whatif --snapshot vpc.json --plan commands.sh -o json",
)
EXIT_TEXT = {
    OK: "the plan closes no path",
    OUR_ERROR: TEXT[OUR_ERROR],
    BAD_INPUT: TEXT[BAD_INPUT],
    FAILED: "the plan closes a path, or opens one that must be blocked",
    NOT_SURE: "closes none that is known; some are unknown, or AWS would refuse a part",
    INTERRUPTED: "interrupted",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "whatif", help="try a planned change: which paths it opens and closes (a gate for CI)"
    )
    parser.add_argument(
        "--plan",
        required=True,
        metavar="FILE",
        help="terraform show -json, a CloudFormation change set as JSON, or AWS CLI commands; - is standard input",
    )
    parser.add_argument(
        "--template", metavar="FILE", help="the change set's template, for values that are known only after the change"
    )
    add_vpc(parser, "read its VPC now, with the credentials of the AWS profile")
    parser.add_argument("--snapshot", metavar="FILE", help="a file that `audit --save` wrote; makes no AWS call")
    parser.add_argument("-f", "--file", help="targets file, YAML or JSON (default: the cluster's issuers)")
    add_names(parser)
    parser.add_argument(
        "--skip", action="append", default=[], metavar="CODE", help="suppress this finding; may be repeated"
    )
    add_output(parser, tuple(FORMATS[WhatIf]))
    return parser


def run(options: argparse.Namespace) -> int:
    from egressprobe.cli.inputs.audit_source import codes, read_source
    from egressprobe.cli.inputs.plan_source import read_plan_file, try_plan

    skipped = codes(options.skip)
    plan = read_plan_file(options.plan, options.template)
    source = read_source(
        cluster=options.cluster,
        region=options.region,
        peer_profiles=options.peer_profile,
        snapshot=options.snapshot,
        targets=options.file,
        names=options.names,
    )
    result = try_plan(source, plan, skipped, options.plan)
    show(result, options.output, sys.stdout)
    return EXIT_CODES[result.verdict]
