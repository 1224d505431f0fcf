"""Parameters of clusters.yaml, checked by what the template says of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from egressprobe.model.errors import InputError, input_error, short
from egressprobe.stack.access.parameters import combination_mistake, hint, value_mistake
from egressprobe.stack.access.roles import OWN_ROLES

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


def check_parameters(values: Mapping[str, str], template_parameters: Mapping[str, Any], place: str) -> None:
    """Raises InputError with every mistake: a name the template lacks, one that is set here, a value it refuses."""
    mistakes = list(_mistakes(values, template_parameters, place))
    if mistakes:
        raise input_error(mistakes)


def check_together(values: Mapping[str, str], account: str, targets: str, place: str) -> None:
    """Of one cluster: values, all that its stack gets; account: its own; targets: its targets file, empty for none.

    Raises InputError.
    """
    if values.get("Discovery") == "false" and not targets:
        raise InputError(f"{place}.targets", "is missing, and Discovery is false: there would be nothing to probe")
    if wrong := combination_mistake(values):
        raise InputError(f"{place}.parameters", wrong)
    for name in OWN_ROLES:
        owner = values.get(name, "").split(":")[4:5]
        if owner not in ([], [account]):
            message = f"{name} is a role of {short(owner[0])}, and a function needs one of its own account"
            raise InputError(f"{place}.parameters", message)


def _mistakes(values: Mapping[str, str], template_parameters: Mapping[str, Any], place: str) -> Iterator[InputError]:
    known = template_parameters.keys() - OWN.keys()
    for name, value in values.items():
        at = f"{place}.{short(name)}"
        if name in OWN:
            yield InputError(at, f"is set by {OWN[name]}; remove it")
        elif name not in known:
            yield InputError(at, f"is not known; {hint(name, known)}")
        elif wrong := value_mistake(value, template_parameters[name]):
            yield InputError(at, f'"{short(value)}" {wrong}')
