"""Parameters of clusters.yaml, checked by what the template says of them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from egressprobe.model.errors import InputError, input_error, short
from egressprobe.targets.decode import close_word

# What the command sets itself -> by what in the file, or on the command line.
OWN = {
    "ClusterName": "name",
    "Subnets": "subnets, or by what is read",
    "ArtifactBucketPrefix": "prefix",
    "ArtifactBucket": "prefix",
    "ProbeArtifact": "make build",
    "PlannerArtifact": "targets",
    "Architecture": "make fleet ARCH=...",
}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_LONGEST = 4096


def check_parameters(values: Mapping[str, str], template_parameters: Mapping[str, Any], place: str) -> None:
    """Raises InputError with every mistake: a name the template lacks, one that is set here, a value it refuses."""
    mistakes = list(_mistakes(values, template_parameters, place))
    if mistakes:
        raise input_error(mistakes)


def _mistakes(values: Mapping[str, str], template_parameters: Mapping[str, Any], place: str) -> Iterator[InputError]:
    known = template_parameters.keys() - OWN.keys()
    for name, value in values.items():
        at = f"{place}.{short(name)}"
        if name in OWN:
            yield InputError(at, f"is set by {OWN[name]}; remove it")
        elif name not in known:
            near = close_word(name, known)
            yield InputError(
                at, f"is not known; did you mean {near}?" if near else "is not known; template.yaml lists them"
            )
        else:
            wrong = _wrong(value, template_parameters[name])
            if wrong:
                yield InputError(at, f'"{short(value)}" {wrong}')


def _wrong(value: str, rule: Mapping[str, Any]) -> str:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html"""
    choices = [str(choice) for choice in rule.get("AllowedValues", ())]
    if choices and value not in choices:
        near = close_word(value, choices)
        return f"is not allowed; did you mean {near}?" if near else f"is not allowed; use one of {', '.join(choices)}"
    if len(value.encode()) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    pattern = rule.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return f"does not match {rule.get('ConstraintDescription') or pattern}"
    if rule.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError:
            return "is not a number"
        least, most = float(rule.get("MinValue", number)), float(rule.get("MaxValue", number))
        if not least <= number <= most:
            return f"is not between {rule.get('MinValue', 'any')} and {rule.get('MaxValue', 'any')}"
    return ""
