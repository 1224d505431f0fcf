#!/usr/bin/env python3
"""The schema of what deploy/terraform uses of Terraform's provider hashicorp/aws, as tests/data/terraform-aws.json.

The source is the npm package @cdktf/provider-aws, whose description of each resource (.jsii) is generated from the
provider's schema, and names the provider's version:
    npm pack @cdktf/provider-aws@21.22.1 && tar xzf cdktf-provider-aws-21.22.1.tgz package/.jsii package/package.json
    scripts/provider_schema.py package
An argument is [type, required]; a block {"block": arguments, "many": whether it may be repeated, "required": ...}.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from egressprobe.stack.terraform.shapes import CLOUD_CONTROL, SHAPES

DATA = Path(__file__).parents[1] / "tests" / "data" / "terraform-aws.json"
_PACKAGE = "@cdktf/provider-aws."
_ALSO = ("aws_cloudwatch_event_target", CLOUD_CONTROL)
_DATA = ("aws_region", "aws_caller_identity", "aws_partition")
_TYPES = {"string": "string", "number": "number", "boolean": "bool"}


def main(folder: str) -> None:
    about = json.loads((Path(folder) / "package.json").read_text())
    types = json.loads((Path(folder) / ".jsii").read_text())["types"]
    names = sorted({shape.type for shape in SHAPES.values()} | set(_ALSO))
    found = {
        "source": f"{about['name']} {about['version']}",
        "provider": about["cdktf"]["provider"],
        "resources": {name: _resource(types, name) for name in names},
        "data": {name: _resource(types, name, "data_aws") for name in _DATA},
    }
    DATA.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def _resource(types: dict[str, Any], name: str, prefix: str = "") -> dict[str, Any]:
    words = (
        [*prefix.split("_"), *name.removeprefix("aws_").split("_")] if prefix else name.removeprefix("aws_").split("_")
    )
    kind = "".join(word.capitalize() for word in words)
    place = f"{_PACKAGE}{words[0]}{''.join(word.capitalize() for word in words[1:])}.{kind}"
    attributes = {_snake(one["name"]) for one in types[place]["properties"] if one.get("immutable")}
    kept = sorted(one for one in attributes if not one.endswith(("_input", "tf_resource_type")))
    return {"arguments": _arguments(types, f"{place}Config"), "attributes": kept}


def _arguments(types: dict[str, Any], place: str) -> dict[str, Any]:
    return {_snake(one["name"]): _argument(types, one) for one in types[place].get("properties", ())}


def _argument(types: dict[str, Any], said: dict[str, Any]) -> Any:
    required = not said.get("optional", False)
    block, many = _place(said["type"])
    if block:
        return {"block": _arguments(types, block), "many": many, "required": required}
    return [_type(said["type"]), required]


def _place(said: dict[str, Any]) -> tuple[str, bool]:
    """The interface of a block, and whether it may be repeated; ("", False) for an argument."""
    for one in said.get("union", {}).get("types", [said]):
        if one.get("fqn", "").startswith(_PACKAGE):
            return one["fqn"], False
        inner = one.get("collection", {}).get("elementtype", {}).get("fqn", "")
        if inner.startswith(_PACKAGE):
            return inner, True
    return "", False


def _type(said: dict[str, Any]) -> str:
    for one in said.get("union", {}).get("types", [said]):
        if "primitive" in one:
            return _TYPES[one["primitive"]]
        if "collection" in one:
            kind = "list" if one["collection"]["kind"] == "array" else "map"
            return f"{kind}({_type(one['collection']['elementtype'])})"
    return "bool"  # boolean | IResolvable comes first above; an IResolvable alone stands for one


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


if __name__ == "__main__":
    main(sys.argv[1])
