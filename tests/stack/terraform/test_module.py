"""deploy/terraform: it is what template.yaml makes of it, and what the provider's schema takes."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from egressprobe.stack.terraform.expressions import SLOT, snake
from egressprobe.stack.terraform.module import files, general, resource_texts
from egressprobe.stack.terraform.resources import Resources
from egressprobe.stack.terraform.shapes import CLOUD_CONTROL, SHAPES
from egressprobe.stack.terraform.values import Block
from tests.conftest import ROOT
from tests.support.aws.cloudformation import template as expanded_template
from tests.support.terraform_module.schema import SCHEMA, errors

FOLDER = ROOT / "deploy" / "terraform"
_REFERENCE = re.compile(r"\b(data\.)?(aws_\w+)\.\w+(?:\[[^\]]+\])?\.(\w+)")


@pytest.fixture(scope="module")
def made():
    return general()


def test_the_files_are_generated_from_the_template(made):
    """Written by `make docs`, compared by `make docs-check`."""
    texts = files(made)
    written = {path.name: path.read_text() for path in FOLDER.glob("*.tf")}
    differing = sorted(name for name in written.keys() | texts.keys() if written.get(name) != texts.get(name))
    assert not differing, f"{', '.join(differing)} in deploy/terraform: not as template.yaml; run make docs"


def test_every_resource_of_the_template_is_made_and_every_type_used(made):
    origins = {one.origin for one in Resources(made).all()}
    expected = {
        (re.sub(r"(?<=[a-z])\d+", "", name), one["Type"]) for name, one in expanded_template()["Resources"].items()
    }
    assert {(name.replace(SLOT, ""), kind) for name, kind in origins} == expected
    assert {kind for _, kind in origins} == SHAPES.keys()


def test_every_parameter_is_a_variable(made):
    text = (FOLDER / "variables.tf").read_text()
    variables = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    own = {"id", "probe_zip", "planner_zip", "artifact_bucket", "probe_artifact", "planner_artifact"}
    assert variables - own == {snake(name) for name in made["Parameters"]} - own - {"artifact_bucket_prefix"}
    whole = "".join(path.read_text() for path in FOLDER.glob("*.tf"))
    assert set(re.findall(r"\bvar\.(\w+)", whole)) == variables


def test_names_nesting_and_required_arguments_are_the_providers(made):
    """The values' types are compared where Terraform has evaluated them (test_plan.py)."""
    for one in Resources(made).all():
        found = [error for error in errors(one.type, _blocks_as_lists(one.body)) if " is a " not in error]
        assert not found, (one.address, found)


def test_every_reference_is_to_an_attribute_of_the_provider(made):
    names = {one.address for one in Resources(made).all()}
    for name, text in files(made).items():
        for data, kind, attribute in _REFERENCE.findall(text):
            said = SCHEMA["data" if data else "resources"][kind]
            assert attribute in {*said["attributes"], *said["arguments"]}, (name, kind, attribute)
        for address in re.findall(r"(?<!data\.)\b(aws_\w+\.\w+)", text):
            assert address in names, (name, address)


def test_the_required_version_is_the_one_of_the_schema():
    major, minor, _ = SCHEMA["provider"]["version"].split(".")
    assert f'version = ">= {major}.{minor}, < {int(major) + 1}"' in (FOLDER / "versions.tf").read_text()


def test_cloud_control_makes_only_what_the_provider_lacks(made):
    lacking = {name for name, one in made["Resources"].items() if "WarmUpConfiguration" in one["Properties"]}
    assert {one.origin[0] for one in Resources(made).all() if one.type == CLOUD_CONTROL} == lacking != set()
    assert "warm_up_configuration" not in SCHEMA["resources"]["aws_cloudwatch_metric_alarm"]["arguments"]


def test_any_change_of_the_template_changes_the_module(made):
    """Each literal of each property in turn: the module differs, or there is no translation; nothing is ignored."""
    unchanged = resource_texts(made)
    ignored, seen = [], 0
    for name in made["Resources"]:
        one = copy.deepcopy(made)
        for place in list(_literals(one["Resources"][name])):
            holder, key, path = place
            before, holder[key] = holder[key], _other(holder[key])
            seen += 1
            if not _differs(one, name, unchanged[name]):
                ignored.append((name, *path))
            holder[key] = before
    assert seen > 1000
    # The translator's own: a tag, a place for the code and an empty object.
    assert {path[1:] for path in ignored} <= {("Properties", "Tags", 0, "Key"), ("Properties", "Tags", 0, "Value"), ("Properties", "Tags", 1, "Value")}  # fmt: skip


def test_what_is_not_known_is_refused(made):
    for change, message in (
        (lambda one: one["Properties"].update(Layers=["x"]), "Layers has no argument"),
        (lambda one: one.update(Type="AWS::SQS::Queue"), "has no resource"),
        (lambda one: one["Properties"].update(Endpoint={"Fn::Base64": "x"}), "Fn::Base64 has no translation"),
    ):
        changed = copy.deepcopy(made)
        change(changed["Resources"]["Subscription"])
        with pytest.raises(ValueError, match=message):
            files(changed)


def test_slots_that_differ_are_refused(made):
    changed = copy.deepcopy(made)
    subnets = changed["Resources"]["Discover"]["Properties"]["VpcConfig"]["SubnetIds"]
    subnets[3]["Fn::If"][1] = "subnet-0"
    with pytest.raises(ValueError, match="slots differ"):
        files(changed)


def _differs(changed: dict[str, Any], name: str, before: str) -> bool:
    try:
        return resource_texts(changed, only=name)[name] != before
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def _literals(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any, tuple[Any, ...]]]:
    """(holder, key, path) of each text, number and boolean below Properties, and the condition."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if not path and key not in ("Properties", "Condition", "DependsOn"):
            continue
        if key == "Code" or (key == "Ref" and value == "AWS::StackId"):
            continue
        if isinstance(value, dict | list):
            yield from _literals(value, (*path, key))
        else:
            yield node, key, (*path, key)


def _other(value: Any) -> Any:
    return not value if isinstance(value, bool) else f"{value}x" if isinstance(value, str) else value + 1


def _blocks_as_lists(body: dict[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, Block):
            return [_blocks_as_lists(value.body)]
        return [_blocks_as_lists(one.body) for one in value] if _is_blocks(value) else value

    return {name: plain(value) for name, value in body.items()}


def _is_blocks(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Block)
