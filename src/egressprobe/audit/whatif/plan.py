"""A plan as data: its steps, and the calls of the AWS API that each step stands for.

Parameters have the names and the shape of the API (EC2 and EKS API References), whatever the plan was written in.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

type Action = Literal["create", "update", "replace", "delete", "run"]
# Of Unmodelled.touches: every path; every path of a target that is reached by a name.
EVERYTHING, NAMES = "*", "names"


class KnownAfterApply(NamedTuple):
    """Instead of a value that AWS assigns when the plan is carried out. why: for people."""

    why: str


class Unmodelled(NamedTuple):
    """What a step does that is not modelled. touches: ids that `Path.consulted` has, EVERYTHING, NAMES, or one name
    or domain of targets as `name:HOST` and `domain:DOMAIN`.

    only_opens: it can close no path.
    """

    why: str
    touches: frozenset[str]
    only_opens: bool = False


class NotModelled(Exception):  # noqa: N818 (an expected outcome)
    """A call cannot be turned into changes. touches: as in Unmodelled; None for what the call is made on."""

    def __init__(self, why: str, touches: frozenset[str] | None = None) -> None:
        super().__init__(why)
        self.why, self.touches = why, touches


class PlannedCall(NamedTuple):
    """One call of the API. id: the name, in the snapshot, of what it creates."""

    operation: str
    parameters: Mapping[str, Any]
    id: str = ""


class PlannedStep(NamedTuple):
    """One resource of a plan, or one command. name: its address, logical id or line."""

    name: str
    action: Action
    calls: tuple[PlannedCall, ...] = ()
    unmodelled: tuple[Unmodelled, ...] = ()


class ChangePlan(NamedTuple):
    """ordered: the calls are made in the order of the steps; else AWS is called in the order of dependencies.

    ids_certain: an id that is not in the snapshot is that of another VPC, not a mistake. ignored: how many resources
    cannot touch a path. secrets: texts that are marked sensitive, which are not printed.
    """

    kind: str
    steps: tuple[PlannedStep, ...]
    ordered: bool = False
    ids_certain: bool = True
    ignored: int = 0
    secrets: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


class Parameters:
    """The parameters of a call. Each reader raises NotModelled for a value that is known only after the change."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def raw(self, name: str) -> Any:
        value = self._values.get(name)
        _known(name, value)
        return value

    def text(self, name: str, *others: str) -> str:
        """The first that is given; empty for none."""
        for each in (name, *others):
            value = self.raw(each)
            if value not in (None, ""):
                return str(value)
        return ""

    def number(self, name: str) -> int | None:
        value = self.raw(name)
        if value in (None, ""):
            return None
        try:
            return int(value)
        except (TypeError, ValueError):
            raise NotModelled(f"{name} is not a number") from None

    def flag(self, name: str) -> bool | None:
        """Booleans, their texts, and EC2's `{"Value": true}`."""
        value = self.raw(name)
        if isinstance(value, Mapping):
            value = Parameters(value).raw("Value")
        if value is None or isinstance(value, bool):
            return value
        return str(value).lower() in ("true", "enable", "enabled")

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.raw(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            return (str(value),)
        for each in value:
            _known(name, each)
        return tuple(str(each) for each in value)

    def items(self, name: str) -> list["Parameters"]:
        """A list of structures."""
        value = self.raw(name)
        listed = value if isinstance(value, list | tuple) else [] if value is None else [value]
        for each in listed:
            _known(name, each)
            if not isinstance(each, Mapping):
                raise NotModelled(f"{name} is not a list of structures")
        return [Parameters(each) for each in listed]

    def item(self, name: str) -> "Parameters":
        """One structure; empty where it is not given."""
        value = self.raw(name)
        return Parameters(value if isinstance(value, Mapping) else {})


def _known(name: str, value: Any) -> None:
    if isinstance(value, KnownAfterApply):
        raise NotModelled(f"{name} is known only after the change: {value.why}")
