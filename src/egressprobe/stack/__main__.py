"""`python -m egressprobe.stack check | deploy | destroy | package | price | roles | expand`, for the Makefile.

Exit codes as for `egressprobe`: 0 done, 1 our own error, AWS's, or an output that is closed, 2 bad input.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from egressprobe.aws.session import use_region_of_environment
from egressprobe.model.errors import AwsError, InputError, short
from egressprobe.publish.stdout import drop_stdout
from egressprobe.stack.aws_answers import aws_errors, error_line, is_foreign_answer


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    return exit_code(lambda: command(options))


def exit_code(command: Callable[[], int]) -> int:
    """The command's own, or that of an expected error, which becomes one line for each mistake."""
    use_region_of_environment()
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
        return 1
    except InputError as error:
        for mistake in error.mistakes:
            print(f"egressprobe: {mistake}", file=sys.stderr)
        return 2
    except AwsError as error:
        print(f"egressprobe: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if not isinstance(error, aws_errors()) and not is_foreign_answer(error):
            raise
        print(f"egressprobe: {error_line(error)}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m egressprobe.stack", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    check = commands.add_parser("check", help="check region, credentials, cluster and stack before anything is built")
    check.add_argument("cluster")
    check.add_argument("--targets", help="targets file, checked too")
    check.set_defaults(command=_check)
    deploy = commands.add_parser("deploy", help="create or update the stack of a cluster")
    deploy.add_argument("cluster")
    deploy.add_argument("--targets", help="targets file, beside the discovered targets; - is standard input")
    deploy.add_argument("--parameters", nargs="*", default=[], metavar="NAME=VALUE")
    deploy.add_argument("--tags", nargs="*", default=[], metavar="NAME=VALUE")
    deploy.add_argument("--prefix", help="artifacts go to the bucket PREFIX-REGION (default: egressprobe-ACCOUNT)")
    deploy.add_argument("--bucket", help="artifacts go to this bucket of your own, which must be in the stack's region")
    deploy.set_defaults(command=_deploy)
    destroy = commands.add_parser("destroy", help="delete the stack and wait for Lambda's interfaces in the VPC")
    destroy.add_argument("cluster")
    destroy.set_defaults(command=_destroy)
    for command in (check, deploy, destroy):
        command.add_argument("--stack", help="default: egressprobe-CLUSTER")
        command.add_argument("--region")
        command.add_argument("--yes", action="store_true", help="do not ask")
    package = commands.add_parser("package", help="template and artifacts for StackSets")
    package.add_argument("--prefix", required=True)
    package.add_argument("--regions", nargs="*", default=[], help="upload to PREFIX-REGION of each")
    package.add_argument("--bucket", help="upload to this bucket of your own, in the one region")
    package.add_argument("--organization", default="", help="its accounts may read the artifacts, such as o-a1b2c3d4e5")
    package.add_argument("--accounts", nargs="*", default=[], help="these accounts may read the artifacts")
    package.set_defaults(command=_package)
    price = commands.add_parser("price", help="monthly cost of a stack")
    price.add_argument("--targets", help="a number, or a targets file")
    price.add_argument("--cluster", help="count the cluster's subnets and what discovery finds in it")
    price.add_argument("--subnets", type=int)
    price.add_argument("--detail", choices=("target", "subnet"), default="target")
    price.add_argument("--architecture", choices=("arm64", "x86_64"), default="arm64")
    price.add_argument("--memory", type=int, default=256, help="MB of a probe")
    price.add_argument("--region")
    price.set_defaults(command=_price)
    roles = commands.add_parser("roles", help="policies for roles of your own, and for who deploys with them")
    roles.add_argument("cluster", help="* for every cluster of the account")
    roles.add_argument("--parameters", nargs="*", default=[], metavar="NAME=VALUE")
    roles.add_argument("--account", help="default: that of the credentials")
    roles.add_argument("--stack", help="default: egressprobe-CLUSTER")
    roles.add_argument("--region")
    roles.set_defaults(command=_roles)
    expand = commands.add_parser("expand", help="template.yaml without macros, on stdout")
    expand.set_defaults(command=_expand)
    return parser


def session_of(region: str | None) -> Any:
    """boto3's, with a region and credentials. Raises InputError and AwsError where one is missing."""
    from boto3.session import Session

    session = Session(region_name=region)
    if session.region_name is None:
        raise InputError("--region", "is missing, and neither AWS_REGION nor the profile names one")
    if session.get_credentials() is None:
        raise AwsError("there are no AWS credentials; set AWS_PROFILE, or log in")
    return session


def _check(options: argparse.Namespace) -> int:
    from egressprobe.stack.artifacts import account
    from egressprobe.stack.deploy import check_before_build

    # Standard input is left to the build, which packages it.
    _targets(None if options.targets == "-" else options.targets)
    session = session_of(options.region)
    survey, _ = check_before_build(session, options.cluster, _stack(options))
    heading = f"{survey.cluster} in account {account(session)}, {session.region_name}: Kubernetes {survey.version}"
    print(f"{heading}, egress {survey.mode}", file=sys.stderr)
    return 0


def _targets(name: str | None) -> object:
    """The document of a targets file, checked; None without one. Raises InputError with every mistake and its line."""
    from egressprobe.planner.inventory import read_inventory
    from egressprobe.targets.file import ARTIFACT_BYTES
    from egressprobe.targets.lines import read_targets

    if not name:
        return None
    file = read_targets(name, most=ARTIFACT_BYTES)
    file.read(read_inventory)
    return file.document


def _deploy(options: argparse.Namespace) -> int:
    from egressprobe.stack.artifacts import account
    from egressprobe.stack.deploy import deploy, parse_pairs
    from egressprobe.stack.price import discovered_targets

    targets = _targets(options.targets)
    given, tags = parse_pairs(options.parameters, "PARAMETERS"), parse_pairs(options.tags, "TAGS")
    session = session_of(options.region)
    prefix = options.prefix or f"egressprobe-{account(session)}"
    discovers = given.get("Discovery") != "false"
    return deploy(
        session,
        cluster=options.cluster,
        targets=targets,
        stack=_stack(options),
        given=given,
        tags=tags,
        prefix=prefix,
        yes=options.yes,
        bucket=options.bucket,
        discovered=discovered_targets(session, options.cluster).targets if discovers else None,
    )


def _stack(options: argparse.Namespace) -> str:
    # A stack's name has no underscore.
    return options.stack or f"egressprobe-{options.cluster}".replace("_", "-")


def _destroy(options: argparse.Namespace) -> int:
    from egressprobe.stack.destroy import destroy

    return destroy(session_of(options.region), stack=_stack(options), yes=options.yes, cluster=options.cluster)


def _package(options: argparse.Namespace) -> int:
    from boto3.session import Session

    from egressprobe.stack.access.bucket_policy import ArtifactReaders
    from egressprobe.stack.package import package

    readers = ArtifactReaders(options.organization, tuple(options.accounts))
    regions, bucket = options.regions, options.bucket
    made = package(Session(), prefix=options.prefix, regions=regions, readers=readers, bucket=bucket)
    print(json.dumps(made, indent=2))
    if "policyStatements" in made:
        text = f"add policyStatements to the policy of {bucket}: it is yours, and was not changed"
        print(f"egressprobe: {text}", file=sys.stderr)
    return 0


def _price(options: argparse.Namespace) -> int:
    from egressprobe.planner.inventory import read_inventory
    from egressprobe.planner.shards import cut
    from egressprobe.stack.price import Size, price_text
    from egressprobe.targets.file import ARTIFACT_BYTES
    from egressprobe.targets.lines import read_targets

    targets, shards, subnets, region = 0, 1, options.subnets, options.region or "us-east-1"
    if options.cluster:
        from egressprobe.stack.price import discovered_targets

        session = session_of(options.region)
        region = session.region_name
        counted = discovered_targets(session, options.cluster)
        targets, subnets = counted.targets or 0, subnets or counted.subnets
        print(counted.text, file=sys.stderr)
    if options.targets is not None and not options.targets.isdecimal():
        inventory = read_targets(options.targets, most=ARTIFACT_BYTES).read(read_inventory)
        targets += len(inventory.entries)
        shards = len(cut(inventory).shards)
    elif options.targets is not None or not options.cluster:
        targets += int(options.targets or 20)
    size = Size(subnets or 3, targets, shards, options.detail, options.architecture, options.memory)
    print(price_text(size, region))
    return 0


def _roles(options: argparse.Namespace) -> int:
    from boto3.session import Session

    from egressprobe.stack.access.deployer import deployer_policy
    from egressprobe.stack.access.roles import StackPlace, role_policies
    from egressprobe.stack.artifacts import account
    from egressprobe.stack.deploy import parse_pairs
    from egressprobe.stack.template import expanded

    given = parse_pairs(options.parameters, "PARAMETERS")
    session = Session(region_name=options.region) if options.account else session_of(options.region)
    if session.region_name is None:
        raise InputError("--region", "is missing, and neither AWS_REGION nor the profile names one")
    owner, region = options.account or account(session), session.region_name
    if not re.fullmatch("[0-9]{12}", owner):
        raise InputError("--account", "is not an account of 12 digits")
    template = expanded()
    names = template["Parameters"]["ClusterName"]["AllowedPattern"]
    if options.cluster != "*" and not re.fullmatch(names, options.cluster):
        raise InputError("CLUSTER", f'"{short(options.cluster)}" is not the name of an EKS cluster; * is for every one')
    place = StackPlace(session.get_partition_for_region(region), region, owner, _stack(options), options.cluster)
    made = role_policies(template, place, given)
    roles = {name: role._asdict() for name, role in made.items()}
    print(json.dumps({"roles": roles, "deployer": deployer_policy(place, given)}, indent=2))
    return 0


def _expand(_: argparse.Namespace) -> int:
    from egressprobe.stack.template import expanded

    print(json.dumps(expanded(), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
