"""The options of one command as parameters of the API, by botocore's models, as the AWS CLI reads them.

What the CLI adds to the models is here too: `--ingress` for `--no-egress`, the options of one rule of a security group
(`--protocol --port --cidr --source-group`), names of protocols.
"""

import argparse
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn

from egressprobe.aws.commands import shorthand

_SCALARS = frozenset({"string", "integer", "long", "float", "double", "boolean", "timestamp", "blob", "character"})
# Options of every command (AWS CLI reference, "Global options", and those of each operation).
_GLOBAL_VALUES = (
    *("region", "profile", "output", "query", "endpoint-url", "color", "ca-bundle", "cli-read-timeout"),
    *("cli-connect-timeout", "cli-binary-format", "cli-error-format"),
)
_GLOBAL_FLAGS = ("debug", "no-verify-ssl", "no-paginate", "no-sign-request", "no-cli-pager", "no-cli-auto-prompt")
# A whole input that is not in the line, or that is not sent.
_UNREADABLE = ("cli-input-json", "cli-input-yaml", "generate-cli-skeleton")
_RULE_OPERATIONS = frozenset(
    f"{verb}SecurityGroup{direction}" for verb in ("Authorize", "Revoke") for direction in ("Ingress", "Egress")
)
_ACL_OPERATIONS = frozenset({"CreateNetworkAclEntry", "ReplaceNetworkAclEntry"})
_ON, _OFF = '{"Value": true}', '{"Value": false}'
_ACL_PROTOCOLS = {"tcp": "6", "udp": "17", "icmp": "1", "all": "-1"}


class CommandCall(NamedTuple):
    """service, operation: as botocore names them. operation: empty for one that only waits or reads local files."""

    service: str
    operation: str
    parameters: dict[str, Any]


class _OptionParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse(words: list[str]) -> CommandCall:
    """Of a command after `aws`. Raises ValueError: an unknown service, operation or option, or a wrong value."""
    parser = _parser()
    parser.add_argument("service")
    parser.add_argument("operation")
    options, rest = parser.parse_known_args(words)
    if options.operation == "wait":
        return CommandCall(options.service, "", {})
    model = _service(options.service)
    operation = _operations(options.service).get(options.operation)
    if operation is None:
        raise ValueError(f'"{options.operation}" is not an operation of {options.service}')
    return CommandCall(options.service, operation, _parameters(model.operation_model(operation), rest))


def _parser() -> _OptionParser:
    parser = _OptionParser(add_help=False, prog="")
    for name in _GLOBAL_VALUES:
        parser.add_argument(f"--{name}")
    for name in _GLOBAL_FLAGS:
        parser.add_argument(f"--{name}", action="store_true")
    return parser


@cache
def _service(name: str) -> Any:
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import create_loader
    from botocore.model import ServiceModel

    try:
        return ServiceModel(create_loader().load_service_model(name, "service-2"), name)
    except UnknownServiceError:
        raise ValueError(f'"{name}" is not a service of AWS') from None


@cache
def _operations(service: str) -> dict[str, str]:
    from botocore import xform_name

    return {xform_name(name, "-"): name for name in _service(service).operation_names}


def _parameters(operation: Any, words: list[str]) -> dict[str, Any]:
    from botocore import xform_name

    members = {} if operation.input_shape is None else operation.input_shape.members
    parser = _OptionParser(add_help=False, prog="")
    for name in _UNREADABLE:
        parser.add_argument(f"--{name}", nargs="?", const="")
    for name, shape in members.items():
        _add(parser, name, xform_name(name, "-"), shape)
    rule = operation.name in _RULE_OPERATIONS
    if rule:
        for name in ("protocol", "port", "cidr", "source-group", "group-owner"):
            parser.add_argument(f"--{name}", dest=f"rule {name}", type=_empty_refused)
    given, unknown = parser.parse_known_args(words)
    if unknown:
        raise ValueError(f'"{unknown[0]}" is not an option of {xform_name(operation.name, "-")}')
    values = {key: value for key, value in vars(given).items() if value is not None}
    if any(name.replace("-", "_") in values for name in _UNREADABLE):
        raise ValueError("options of the command itself are needed, not --cli-input-json or a skeleton")
    parameters = {name: _value(name, values[name], shape) for name, shape in members.items() if name in values}
    if rule:
        parameters |= _rule({key[5:]: value for key, value in values.items() if key.startswith("rule ")}, parameters)
    if operation.name in _ACL_OPERATIONS and "Protocol" in parameters:
        parameters["Protocol"] = _ACL_PROTOCOLS.get(parameters["Protocol"], parameters["Protocol"])
    missing = [name for name in operation.input_shape.required_members if name not in parameters] if members else []
    if missing:
        raise ValueError(f"--{xform_name(missing[0], '-')} is missing")
    return parameters


def _empty_refused(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("is empty")
    return text


def _add(parser: _OptionParser, name: str, option: str, shape: Any) -> None:
    if shape.type_name == "boolean":
        group = parser.add_mutually_exclusive_group()
        group.add_argument(f"--{option}", dest=name, action="store_const", const=True)
        off = "ingress" if option == "egress" else f"no-{option}"
        group.add_argument(f"--{off}", dest=name, action="store_const", const=False)
    elif _is_flag(shape):
        group = parser.add_mutually_exclusive_group()
        group.add_argument(f"--{option}", dest=name, nargs="?", const=_ON)
        group.add_argument(f"--no-{option}", dest=name, action="store_const", const=_OFF)
    elif shape.type_name == "list":
        parser.add_argument(f"--{option}", dest=name, nargs="*")
    else:
        parser.add_argument(f"--{option}", dest=name)


def _is_flag(shape: Any) -> bool:
    """`{"Value": true}`, which the CLI also takes as a flag without value."""
    members = shape.members if shape.type_name == "structure" else {}
    return set(members) == {"Value"} and members["Value"].type_name == "boolean"


# -- values ---------------------------------------------------------------------------------------------------


def _value(name: str, given: Any, shape: Any) -> Any:
    """As the model has its type; JSON where the text begins like it, else shorthand for what is not scalar."""
    first = given[0] if isinstance(given, list) and given else given
    if isinstance(first, str) and first.startswith(("file://", "fileb://")):
        raise ValueError(f"{name} is in a file, which is not read: write it in the line")
    try:
        return _typed(given, shape)
    except RecursionError:
        raise ValueError(f"{name} is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _typed(given: Any, shape: Any) -> Any:
    if shape.type_name == "boolean":
        return given
    if shape.type_name in _SCALARS:
        return _scalar(given, shape)
    if shape.type_name == "list":
        return _listed(given, shape)
    text = given.strip()
    if text.startswith("{"):
        return _json(text)
    if set(shape.members) == {"Value"} and shape.members["Value"].type_name == "string" and "=" not in text:
        return {"Value": given}
    return _by_model(shorthand.parse(given), shape)


def _listed(given: list[str], shape: Any) -> Any:
    first = given[0].strip() if given else ""
    if first.startswith("["):
        return _json(given[0])
    if shape.member.type_name in _SCALARS:
        return [_scalar(text, shape.member) for text in given]
    if first.startswith("{"):
        return [_json(text) for text in given]
    return [_by_model(shorthand.parse(text), shape.member) for text in given]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


def _scalar(text: str, shape: Any) -> Any:
    if shape.type_name in ("integer", "long"):
        return int(text)
    if shape.type_name in ("float", "double"):
        return float(text)
    if shape.type_name == "boolean":
        return text.lower() != "false"
    return text


def _by_model(value: Any, shape: Any) -> Any:
    """What shorthand gave, typed by the model; one word for a list is a list of one."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        unknown = [key for key in value if key not in shape.members]
        if unknown:
            raise ValueError(f'"{unknown[0]}" is not one of {", ".join(shape.members)}')
        return {key: _by_model(each, shape.members[key]) for key, each in value.items()}
    if shape.type_name == "list":
        return [_by_model(each, shape.member) for each in (value if isinstance(value, list) else [value])]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {key: _by_model(each, shape.value) for key, each in value.items()}
    if isinstance(value, str) and shape.type_name in _SCALARS:
        return _scalar(value, shape)
    raise ValueError(f"is not a {shape.type_name}")


# -- one rule of a security group -------------------------------------------------------------------------------


def _rule(options: dict[str, str], parameters: dict[str, Any]) -> dict[str, Any]:
    """As the CLI's own options for one rule."""
    if not options:
        return {}
    if "IpPermissions" in parameters:
        raise ValueError(f"--{next(iter(options))} does not go with --ip-permissions")
    permission: dict[str, Any] = {}
    if "protocol" in options:
        permission["IpProtocol"] = _rule_protocol(options["protocol"])
    if "port" in options:
        permission |= _rule_ports(options["port"])
    if "cidr" in options:
        permission["IpRanges"] = [{"CidrIp": options["cidr"]}]
    pair = {}
    if "source-group" in options:
        pair["GroupId" if options["source-group"].startswith("sg-") else "GroupName"] = options["source-group"]
    if "group-owner" in options:
        pair["UserId"] = options["group-owner"]
    if pair:
        permission["UserIdGroupPairs"] = [pair]
    return {"IpPermissions": [permission]}


def _rule_protocol(text: str) -> str:
    if text == "all":
        return "-1"
    if text not in ("tcp", "udp", "icmp") and not (text == "-1" or (text.isdecimal() and int(text) < 256)):
        raise ValueError(f'--protocol: "{text}" is not tcp, udp, icmp, all or a number')
    return text


def _rule_ports(text: str) -> dict[str, int]:
    if text in ("-1", "all"):
        return {"FromPort": -1, "ToPort": -1}
    low, _, high = text.partition("-")
    try:
        return {"FromPort": int(low), "ToPort": int(high or low)}
    except ValueError:
        raise ValueError(f'--port: "{text}" is not FROM or FROM-TO') from None
