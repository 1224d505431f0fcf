"""The command line's words: commands, options and their help."""

import argparse
from typing import Any, NoReturn

from egressprobe import __version__
from egressprobe.inputs import InputError
from egressprobe.kubeversion import DEFAULT_KUBE_VERSION, HELLOS

_FORMATS = ("table", "json", "yaml", "jsonl")
DEFAULT_TIMEOUT = 60.0  # the longest a person waits for a table; the slowest target alone takes about 35 s


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of a page of usage."""
        raise InputError("", f"{message} (see {self.prog} --help)")


def parser() -> Parser:
    top = Parser(prog="egressprobe", description=__import__("egressprobe").__doc__)
    top.add_argument("--version", action="version", version=f"egressprobe {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    _run(commands)
    invoke = commands.add_parser("invoke", help="probe now from every subnet of a deployed stack, by its Planner")
    invoke.add_argument("targets", metavar="TARGET", nargs="*", help="names of the stack's inventory (default: all)")
    invoke.add_argument("--stack", required=True, metavar="NAME", help="the CloudFormation stack")
    invoke.add_argument("--region", help="default: AWS_REGION or the profile's")
    invoke.add_argument("-o", "--output", choices=("table", "json", "yaml"), default="table", help="default: table")
    invoke.set_defaults(command="invoke")

    discover = commands.add_parser("discover", help="the targets a cluster really has, as a file that run -f takes")
    discover.add_argument("--cluster", metavar="NAME", help="ask EKS and the API server, as the AWS profile's identity")
    discover.add_argument("--region", help="default: AWS_REGION or the profile's")
    discover.add_argument("--kubeconfig", metavar="FILE", help="ask the API server that a kubeconfig names")
    discover.add_argument("--context", metavar="NAME", help="of the kubeconfig; default: its current one")
    discover.add_argument("--from", dest="folder", metavar="DIR", help="recorded lists, PLURAL.json each")
    discover.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds (default: 60)")
    discover.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", help="default: yaml")
    discover.set_defaults(command="discover")

    audit = commands.add_parser("audit", help="what the VPC's configuration says of the way out, subnet by subnet")
    audit.add_argument("--cluster", metavar="NAME", help="read it now, as the AWS profile's identity")
    audit.add_argument("--region", help="default: AWS_REGION or the profile's")
    audit.add_argument("--snapshot", metavar="FILE", help="one that was saved before; asks AWS nothing")
    audit.add_argument("--save", metavar="FILE", help="write the snapshot, to audit it again elsewhere")
    audit.add_argument("-f", "--file", help="targets file, YAML or JSON (default: the cluster's issuers)")
    audit.add_argument("--skip", action="append", default=[], metavar="CODE", help="do not tell; may be repeated")
    audit.add_argument("-o", "--output", choices=("table", "json", "yaml"), default="table", help="default: table")
    audit.set_defaults(command="audit")

    explain = commands.add_parser("explain", help="what a code means, how to confirm it, how to mend it")
    explain.add_argument("code", metavar="CODE", nargs="?", help="a failure or finding; without one: list them all")
    explain.add_argument("-o", "--output", choices=("text", "json"), default="text")
    explain.set_defaults(command="explain")

    demo = commands.add_parser("demo", help="the whole thing on a built-in broken network: no AWS, no root")
    _format(demo)
    demo.set_defaults(command="demo")
    return top


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=_FORMATS, default="table", help="default: table")


def _run(commands: Any) -> None:
    run = commands.add_parser("run", help="probe targets from here and say what the API server would meet")
    run.add_argument("urls", metavar="URL", nargs="*", help="https://webhook/path, tcp://host:port or tls://host:port")
    run.add_argument("-f", "--file", help="targets file, YAML or JSON; - is standard input")
    run.add_argument("--kind", choices=("webhook", "oidc"), help="what an https URL is (default: webhook)")
    run.add_argument("--ca-bundle", metavar="FILE", help="PEM file to trust for the URLs instead of the system roots")
    run.add_argument("--timeout-seconds", type=int, metavar="N", help="timeoutSeconds of the URLs, 1..30 (default: 10)")
    run.add_argument(
        "--resolver", action="append", default=[], metavar="ADDR[:PORT]", help="ask this name server; may be repeated"
    )
    run.add_argument(
        "--timeout", type=float, default=DEFAULT_TIMEOUT, metavar="S", help="seconds for the whole run (default: 60)"
    )
    run.add_argument(
        "--kube-version",
        metavar="V",
        help=f"of the API server stood in for, {min(HELLOS)}..{max(HELLOS)} (default: {DEFAULT_KUBE_VERSION})",
    )
    run.add_argument("--concurrency", type=int, default=10, metavar="N", help="targets in flight, 1..100 (default: 10)")
    _format(run)
    run.set_defaults(command="run")
