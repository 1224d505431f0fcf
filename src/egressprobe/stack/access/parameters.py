"""Parameters of the template, checked as CloudFormation does, and the default of those that names begin with.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from egressprobe.model.errors import InputError, input_error, short
from egressprobe.targets.decode import close_word

DEFAULT_NAME_PREFIX = "egressprobe"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_LONGEST = 4096  # bytes


def check_parameters(template: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Raises InputError with every one that the template does not have, and every value that it does not allow."""
    mistakes = list(_mistakes(template["Parameters"], given))
    if mistakes:
        raise input_error(mistakes)


def _mistakes(declared: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[InputError]:
    for name, value in given.items():
        if name not in declared:
            yield InputError("PARAMETERS", f'"{short(name)}" is not a parameter of the stack; {hint(name, declared)}')
        elif wrong := value_mistake(value, declared[name]):
            yield InputError("PARAMETERS", f'{name}="{short(value)}" {wrong}')


def hint(name: str, known: Iterable[str]) -> str:
    """What may have been meant by an unknown name."""
    near = close_word(name, known)
    return f"did you mean {near}?" if near else "template.yaml lists them"


def value_mistake(value: str, rule: Mapping[str, Any]) -> str:
    """What the template has against the value of a parameter, as the end of a sentence; empty: nothing.

    rule: the parameter's entry in the template.
    """
    choices = [str(choice) for choice in rule.get("AllowedValues", ())]
    if choices and value not in choices:
        near = close_word(value, choices)
        return f"is not allowed; did you mean {near}?" if near else f"is not allowed; use one of {', '.join(choices)}"
    if len(value.encode()) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    pattern = rule.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        constraint = rule.get("ConstraintDescription")
        return f"is not allowed: {constraint}" if constraint else f"does not match {pattern}"
    if rule.get("Type") == "Number":
        # CloudFormation takes 512.0 as well, and the resource then does not.
        if not re.fullmatch("[0-9]{1,9}", value):
            return "is not a whole number"
        number = int(value)
        least, most = int(rule.get("MinValue", number)), int(rule.get("MaxValue", number))
        if not least <= number <= most:
            return f"is not between {rule.get('MinValue', 'any')} and {rule.get('MaxValue', 'any')}"
    return ""


def combination_mistake(given: Mapping[str, str]) -> str:
    """What the values say together that no deployment can have; empty: nothing."""
    if given.get("PlannerSubnetIds") and not given.get("PlannerSecurityGroupIds"):
        return "PlannerSubnetIds needs PlannerSecurityGroupIds, with outbound 443"
    return ""
