"""`python -m egressprobe.stack deploy | destroy | package | price | expand`, for the Makefile.

Exit codes as for `egressprobe`: 0 done, 1 our own error or AWS's, 2 bad input.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from egressprobe.model.errors import AwsError, InputError


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return command(options)
    except InputError as error:
        print(f"egressprobe: {error}", file=sys.stderr)
        return 2
    except (AwsError, BotoCoreError, ClientError) as error:
        print(f"egressprobe: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m egressprobe.stack", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    deploy = commands.add_parser("deploy", help="make or change the stack of a cluster")
    deploy.add_argument("cluster")
    deploy.add_argument("--targets", help="targets file, beside what is discovered; - is standard input")
    deploy.add_argument("--parameters", nargs="*", default=[], metavar="NAME=VALUE")
    deploy.add_argument("--tags", nargs="*", default=[], metavar="NAME=VALUE")
    deploy.add_argument("--prefix", help="artifacts go to the bucket PREFIX-REGION (default: egressprobe-ACCOUNT)")
    deploy.set_defaults(command=_deploy)
    destroy = commands.add_parser("destroy", help="delete it and wait for what Lambda leaves in the VPC")
    destroy.add_argument("cluster")
    destroy.set_defaults(command=_destroy)
    for one in (deploy, destroy):
        one.add_argument("--stack", help="default: egressprobe-CLUSTER")
        one.add_argument("--region")
        one.add_argument("--yes", action="store_true", help="do not ask")
    package = commands.add_parser("package", help="template and artifacts for StackSets")
    package.add_argument("--prefix", required=True)
    package.add_argument("--regions", nargs="*", default=[], help="upload to PREFIX-REGION of each")
    package.set_defaults(command=_package)
    price = commands.add_parser("price", help="what a stack costs a month")
    price.add_argument("--targets", help="a number, or a targets file")
    price.add_argument("--subnets", type=int, default=3)
    price.add_argument("--detail", choices=("target", "subnet"), default="target")
    price.add_argument("--architecture", choices=("arm64", "x86_64"), default="arm64")
    price.add_argument("--memory", type=int, default=256, help="MB of a probe")
    price.add_argument("--region", default="us-east-1")
    price.set_defaults(command=_price)
    expand = commands.add_parser("expand", help="template.yaml without macros, on stdout")
    expand.set_defaults(command=_expand)
    return parser


def _session(options: argparse.Namespace) -> Any:
    from boto3.session import Session

    session = Session(region_name=options.region)
    if session.region_name is None:
        raise InputError("--region", "is missing, and neither AWS_REGION nor the profile names one")
    return session


def _deploy(options: argparse.Namespace) -> int:
    from egressprobe.stack.deploy import deploy, parse_pairs
    from egressprobe.targets.file import ARTIFACT_BYTES, read_file

    targets = read_file(options.targets, most=ARTIFACT_BYTES) if options.targets else None
    session = _session(options)
    prefix = options.prefix or f"egressprobe-{session.client('sts').get_caller_identity()['Account']}"
    return deploy(
        session,
        cluster=options.cluster,
        targets=targets,
        stack=_stack(options),
        given=parse_pairs(options.parameters, "PARAMETERS"),
        tags=parse_pairs(options.tags, "TAGS"),
        prefix=prefix,
        yes=options.yes,
    )


def _stack(options: argparse.Namespace) -> str:
    # A stack's name has no underscore.
    return options.stack or f"egressprobe-{options.cluster}".replace("_", "-")


def _destroy(options: argparse.Namespace) -> int:
    from egressprobe.stack.destroy import destroy

    return destroy(_session(options), stack=_stack(options), yes=options.yes)


def _package(options: argparse.Namespace) -> int:
    from boto3.session import Session

    from egressprobe.stack.package import package

    print(json.dumps(package(Session(), prefix=options.prefix, regions=options.regions), indent=2))
    return 0


def _price(options: argparse.Namespace) -> int:
    from egressprobe.planner.inventory import read_inventory
    from egressprobe.planner.shards import cut
    from egressprobe.stack.price import Size, shown
    from egressprobe.targets.file import ARTIFACT_BYTES, read_file

    if options.targets is None or options.targets.isdecimal():
        targets, shards = int(options.targets or 20), 1
    else:
        inventory = read_inventory(read_file(options.targets, most=ARTIFACT_BYTES))
        targets = len(inventory.entries)
        shards = len(cut(inventory).shards)
    size = Size(options.subnets, targets, shards, options.detail, options.architecture, options.memory)
    print(shown(size, options.region))
    return 0


def _expand(_: argparse.Namespace) -> int:
    from egressprobe.stack.template import expanded

    print(json.dumps(expanded(), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
