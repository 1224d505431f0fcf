"""template.yaml made into plain CloudFormation: loops unrolled, SAM translated, code as parameters.

The tested template is the deployed one: no macro runs in the account, and service-managed StackSets, which refuse
macros, take the same file. The location of the code becomes parameters: `ArtifactBucketPrefix`, for the bucket
PREFIX-REGION, since Lambda takes code from its own region only, or `ArtifactBucket`, one bucket of the user's own;
`ProbeArtifact` and `PlannerArtifact` (keys).

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

import copy
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parents[3] / "template.yaml"
_EACH = "Fn::ForEach::"
_MACROS = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
# CodeUri as template.yaml has it -> the parameter that holds its key
ARTIFACTS = {"build/probe.zip": "ProbeArtifact", "build/planner.zip": "PlannerArtifact"}
_PARAMETERS = {
    "ArtifactBucketPrefix": {"Type": "String", "Description": "The functions' code is in the bucket PREFIX-REGION"},
    "ArtifactBucket": {
        "Type": "String",
        "Default": "",
        "Description": "The functions' code is in this bucket, of the stack's region. Empty - in PREFIX-REGION",
    },
    "ProbeArtifact": {"Type": "String", "Description": "Key of the Probe's zip"},
    "PlannerArtifact": {"Type": "String", "Description": "Key of the Planner's zip"},
}
_ANY_REGION = "mx-central-1"
_CONDITIONS = {"HasArtifactBucket": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ArtifactBucket"}, ""]}]}}
_BUCKET = {
    "Fn::If": [
        "HasArtifactBucket",
        {"Ref": "ArtifactBucket"},
        {"Fn::Sub": "${ArtifactBucketPrefix}-${AWS::Region}"},
    ]
}


def expanded(text: str | None = None) -> dict[str, Any]:
    """The template without macros. Raises TypeError for a loop over anything but a literal list."""
    from boto3.session import Session
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    template = unrolled(yaml_parse(text if text is not None else TEMPLATE.read_text()))
    macros = template.pop("Transform")
    if macros != _MACROS:
        raise ValueError(f"template.yaml names the macros {macros}, known are {_MACROS}")
    template["Transform"] = _MACROS[1]
    keys, roles = {}, {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            keys[name] = ARTIFACTS[resource["Properties"]["CodeUri"]]
            roles[name] = resource["Properties"]["Role"]
            # The translator requires a location in S3 and supports intrinsic functions only in part of it.
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
            resource.get("Metadata", {}).pop("SkipBuild", None)
    # The translator needs a region for pseudo parameters; a test checks that none reaches the result.
    translator = Translator({}, Parser(), boto_session=Session(region_name=_ANY_REGION))
    plain: dict[str, Any] = translator.translate(copy.deepcopy(template), {})
    plain.pop("Transform", None)
    for name, key in keys.items():
        plain["Resources"][name]["Properties"]["Code"] = {"S3Bucket": _BUCKET, "S3Key": {"Ref": key}}
        # The translator puts the parameters' defaults into it.
        plain["Resources"][name]["Properties"]["Role"] = roles[name]
    plain["Parameters"] |= _PARAMETERS
    plain["Conditions"] |= _CONDITIONS
    return plain


def unrolled(node: Any) -> Any:
    """Every Fn::ForEach replaced by its expansion."""
    if isinstance(node, list):
        return [unrolled(item) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if not key.startswith(_EACH):
            result[key] = unrolled(value)
            continue
        name, values, body = value
        if not isinstance(values, list):
            raise TypeError(f"{key} loops over {values}; only a literal list can be unrolled here")
        for item in values:
            result |= unrolled(_bound(body, name, str(item)))
    return result


def _bound(node: Any, name: str, value: str) -> Any:
    """`node` with the loop's variable replaced by `value`."""
    if isinstance(node, str):
        return node.replace(f"${{{name}}}", value).replace(f"&{{{name}}}", value)
    if isinstance(node, list):
        return [_bound(item, name, value) for item in node]
    if isinstance(node, dict):
        if node == {"Ref": name}:
            return value
        return {_bound(key, name, value): _bound(item, name, value) for key, item in node.items()}
    return node
