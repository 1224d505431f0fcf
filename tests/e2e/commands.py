"""What a person does with printed commands: each in its order, as it is, new ids in their places."""

import shlex
from collections.abc import Iterable

from botocore import xform_name

from egressprobe.aws.commands.options import parse
from tests.e2e.account import client
from tests.e2e.stack import say


def carry_out(commands: Iterable[str]) -> None:
    """By the reader of commands that `whatif` has, against the emulator."""
    made: dict[str, str] = {}
    for command in commands:
        say(f"  $ {command}")
        call = parse([made.get(word, word) for word in shlex.split(command)[1:]])
        if not call.operation:
            continue
        answer = getattr(client(call.service), xform_name(call.operation))(**call.parameters)
        if call.operation == "CreateNatGateway":
            made["<NEW_NAT>"] = answer["NatGateway"]["NatGatewayId"]
