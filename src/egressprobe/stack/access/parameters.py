"""Parameters of the template, checked as CloudFormation does, and the default of those that names begin with."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from egressprobe.model.errors import InputError

DEFAULT_NAME_PREFIX = "egressprobe"


def check_parameter_names(template: dict[str, Any], names: Iterable[str]) -> None:
    """Raises InputError for one that the template does not have, with the nearest that it has."""
    for name in names:
        if name not in template["Parameters"]:
            near = difflib.get_close_matches(name, template["Parameters"], 1)
            hint = f"did you mean {near[0]}?" if near else "template.yaml lists them"
            raise InputError("PARAMETERS", f'"{name}" is not a parameter of the stack; {hint}')


def check_parameter_values(template: dict[str, Any], given: dict[str, str]) -> None:
    """Raises InputError for a value that the template does not allow. The names are known."""
    for name, value in given.items():
        declared = template["Parameters"][name]
        if not re.search(declared.get("AllowedPattern", ""), value):
            rule = declared.get("ConstraintDescription", f"it must match {declared['AllowedPattern']}")
            raise InputError("PARAMETERS", f'{name}="{value}": {rule}')
        if value not in map(str, declared.get("AllowedValues", [value])):
            raise InputError("PARAMETERS", f'{name}="{value}": one of {", ".join(map(str, declared["AllowedValues"]))}')
