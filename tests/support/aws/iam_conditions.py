"""Whether the Condition of a policy statement holds for a request, by IAM's documented rules.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and, for several
operators, keys and values, reference_policies_condition-logic-multiple-context-keys-or-values.html beside it:
operators and keys are joined by AND, the values of a key by OR, those of a negated operator by NOR. A key that the
request does not have makes a condition false, a negated one true; with IfExists true in both cases; Null asks for it.
"""

import fnmatch
from collections.abc import Callable

_SUFFIX = "IfExists"
Conditions = dict[str, dict[str, str | list[str]]]


def like(value: str, pattern: str) -> bool:
    """`*` and `?` match, nothing else is special; upper and lower case differ."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


# The comparison of one value, and whether the operator is negated.
_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (str.__eq__, False),
    "StringNotEquals": (str.__eq__, True),
    "StringEqualsIgnoreCase": (lambda value, wanted: value.lower() == wanted.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda value, wanted: value.lower() == wanted.lower(), True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "Bool": (lambda value, wanted: value.lower() == wanted.lower(), False),
    "ArnLike": (like, False),
    "ArnNotLike": (like, True),
}


def holds(conditions: Conditions, context: dict[str, str]) -> bool:
    """KeyError for an operator that is not in the table: it must not count as true or false."""
    request = {key.lower(): value for key, value in context.items()}
    return all(
        _one(operator, [wanted] if isinstance(wanted, str) else wanted, request.get(key.lower()))
        for operator, pairs in conditions.items()
        for key, wanted in pairs.items()
    )


def _one(operator: str, wanted: list[str], value: str | None) -> bool:
    if operator == "Null":
        return (value is None) == (wanted == ["true"])
    compare, negated = _OPERATORS[operator.removesuffix(_SUFFIX)]
    if value is None:
        return negated or operator.endswith(_SUFFIX)
    return any(compare(value, pattern) for pattern in wanted) is not negated
