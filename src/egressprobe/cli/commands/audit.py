"""`egressprobe audit`: whether the VPC's configuration allows the control plane's egress, subnet by subnet."""

import argparse
import sys
from typing import Any

from egressprobe.audit.result import Audit
from egressprobe.cli.common.exit_codes import INTERRUPTED, exit_code, message
from egressprobe.cli.common.parser import add_fail_on, add_names, add_output, add_vpc
from egressprobe.cli.output.formats import FORMATS, show
from egressprobe.model.errors import AwsError

EXAMPLES = (
    "egressprobe audit --cluster prod -f targets.yaml",
    "egressprobe audit --cluster prod --save vpc.json",
    "egressprobe audit --cluster prod --peer-profile network-account",
    "egressprobe audit --snapshot vpc.json -o json",
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "audit", help="audit VPC egress: whether the configuration allows each target, subnet by subnet"
    )
    add_vpc(parser, "read its VPC now, with the credentials of the AWS profile")
    parser.add_argument("--snapshot", metavar="FILE", help="a file that --save wrote; makes no AWS call")
    parser.add_argument("--save", metavar="FILE", help="write the snapshot, to audit it again elsewhere")
    parser.add_argument("-f", "--file", help="targets file, YAML or JSON (default: the cluster's issuers)")
    add_names(parser)
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="CODE",
        help="do not show this finding; a path that it closes still fails; may be repeated",
    )
    add_fail_on(parser)
    add_output(parser, tuple(FORMATS[Audit]))
    return parser


def run(options: argparse.Namespace) -> int:
    """Read, audit, print. Ctrl-C ends the reading: what was not read by then is unknown, and the exit code is 130."""
    from egressprobe.cli.inputs.audit_source import read_audit
    from egressprobe.cli.inputs.interruption import first_interrupt

    with first_interrupt() as stop:
        try:
            audit = read_audit(
                cluster=options.cluster,
                region=options.region,
                peer_profiles=options.peer_profile,
                snapshot=options.snapshot,
                save=options.save,
                targets=options.file,
                skip=options.skip,
                names=options.names,
                stop=stop,
            )
        except AwsError:
            if stop.is_set():  # before there was anything to audit
                raise KeyboardInterrupt from None
            raise
    show(audit, options.output, sys.stdout, options.fail_on)
    if stop.is_set():
        message(
            "egressprobe: interrupted; what was not read is unknown" + ", and nothing was saved" * bool(options.save)
        )
        return INTERRUPTED
    return exit_code(audit, options.fail_on)
