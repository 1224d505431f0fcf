"""Change sets in the form of DescribeChangeSet with property values: numbers and booleans are texts, contexts are JSON in
a string, what AWS assigns is {{changeSet:KNOWN_AFTER_APPLY}}.
"""

import json
from typing import Any

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def resource(
    logical: str,
    kind: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    physical: str = "",
    replaced: str = "",
    **more: Any,
) -> dict[str, Any]:
    """One change. replaced: Replacement of a change of what exists."""
    action = "Add" if before is None else "Remove" if after is None else "Modify"
    change: dict[str, Any] = {
        "Action": action,
        "LogicalResourceId": logical,
        "ResourceType": f"AWS::{kind}",
        "Scope": [],
        "Details": [],
    }
    if physical:
        change["PhysicalResourceId"] = physical
    if action == "Modify":
        change["Replacement"] = replaced or "False"
    for name, properties in (("BeforeContext", before), ("AfterContext", after)):
        if properties is not None:
            change[name] = json.dumps({"Properties": _texts(properties)})
    return {"Type": "Resource", "ResourceChange": change | more}


def change_set(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Changes": list(changes),
        "ChangeSetName": "x",
        "ChangeSetId": "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/x/1",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1",
        "StackName": "s",
        "Status": "CREATE_COMPLETE",
        "ExecutionStatus": "AVAILABLE",
        "IncludeNestedStacks": False,
    } | more
