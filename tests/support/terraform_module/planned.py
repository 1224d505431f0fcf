"""deploy/terraform evaluated by the real Terraform, without the provider and without AWS.

Each resource becomes a `terraform_data` of the same arguments, which is built into Terraform; what a resource has only
after it was made (its ARN) is computed from its name as tests/support/aws/cloudformation.py does. Variables, their
validation, locals, count, for_each, functions and the order of references are Terraform's own.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from egressprobe.stack.terraform.module import files, general
from egressprobe.stack.terraform.resources import Resources, TerraformResource
from egressprobe.stack.terraform.shapes import CLOUD_CONTROL, SHAPES
from egressprobe.stack.terraform.values import Block, Raw, arguments, written
from tests.support.aws.cloudformation import ACCOUNT, REGION

ID = "1a2b3c4d"
_REFERENCE = re.compile(r"\b(aws_\w+)\.(\w+)((?:\[[^\]]+\])?)\.(arn|name|function_name|alarm_name|id|properties)\b")
_ARNS = {
    "aws_lambda_function": ("lambda:{region}", "function:", "function_name"),
    "aws_cloudwatch_log_group": ("logs:{region}", "log-group:", "name"),
    "aws_scheduler_schedule_group": ("scheduler:{region}", "schedule-group/", "name"),
    "aws_cloudwatch_metric_alarm": ("cloudwatch:{region}", "alarm:", "alarm_name"),
    "aws_cloudwatch_composite_alarm": ("cloudwatch:{region}", "alarm:", "alarm_name"),
    "aws_iam_role": ("iam:", "role", ""),
    "aws_sns_topic": ("sns:{region}", "", ""),
    "aws_cloudwatch_event_rule": ("events:{region}", "rule/", ""),
}


class Stand:
    """The module with `terraform_data` in the place of each resource, in a folder that is initialized once."""

    def __init__(self, folder: Path):
        self.folder = folder
        template = general()
        self.resources = list(Resources(template).all())
        self._by_address = {one.address: one for one in self.resources}
        texts = files(template)
        for name in ("variables.tf", "locals.tf", "outputs.tf"):
            (folder / name).write_text(self._without_provider(texts[name]))
        (folder / "resources.tf").write_text("\n".join(map(self._data, self.resources)))
        (folder / "account.tf").write_text(
            f'locals {{\n  region = "{REGION}"\n  account = "{ACCOUNT}"\n  partition = "aws"\n'
            '  dns_suffix = "amazonaws.com"\n}\n'
        )
        for name in ("probe.zip", "planner.zip"):
            (folder / name).write_bytes(name.encode())
        self.run("init", "-backend=false")

    def planned(self, **variables: Any) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
        """Address -> arguments of each instance; and the outputs. Raises AssertionError with what Terraform refuses."""
        given = {"id": ID, "probe_zip": "probe.zip", "planner_zip": "planner.zip"} | variables
        (self.folder / "given.auto.tfvars.json").write_text(json.dumps(given))
        return self._planned(self.folder)

    def of_root(self, folder: Path, text: str) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
        """As `planned`, of a configuration that calls this module; folder: an empty one for it."""
        (folder / "main.tf").write_text(text)
        (self.folder / "given.auto.tfvars.json").unlink(missing_ok=True)
        self.run("init", "-backend=false", where=folder)
        return self._planned(folder)

    def _planned(self, folder: Path) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
        self.run("plan", "-out=plan", "-refresh=false", "-lock=false", where=folder)
        values = json.loads(self.run("show", "-json", "plan", where=folder))["planned_values"]
        found: dict[str, list[dict[str, Any]]] = {}
        for module in (values["root_module"], *values["root_module"].get("child_modules", ())):
            for one in module.get("resources", ()):
                found.setdefault(one["name"].replace("__", ".", 1), []).append(one["values"]["input"])
        return found, {name: said.get("value") for name, said in values.get("outputs", {}).items()}

    def run(self, *command: str, where: Path | None = None) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "CHECKPOINT_DISABLE": "1"}
        plain = [] if command[0] in ("show", "fmt") else ["-no-color"]
        done = subprocess.run(
            ["terraform", *command, *plain],
            cwd=where or self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _data(self, resource: TerraformResource) -> str:
        head = arguments(dict(resource.repeat), 2)
        names = ", ".join(f"terraform_data.{one.replace('.', '__')}" for one in resource.after)
        after = [f"  depends_on = [{names}]"] if names else []
        body = {"input": {name: _plain(value) for name, value in resource.body.items() if name != "lifecycle"}}
        if "lifecycle" in resource.body:
            body["lifecycle"] = resource.body["lifecycle"]
        lines = [*head, *arguments(body, 2), *after]
        text = self._without_provider("\n".join(lines))
        return f'resource "terraform_data" "{resource.type}__{resource.name}" {{\n{text}\n}}\n'

    def _without_provider(self, text: str) -> str:
        return _REFERENCE.sub(self._attribute, text)

    def _attribute(self, match: re.Match[str]) -> str:
        kind, name, index, attribute = match.groups()
        place, (logical, origin) = (
            f"terraform_data.{kind}__{name}{index}.input",
            self._by_address[f"{kind}.{name}"].origin,
        )
        if kind == CLOUD_CONTROL:
            alarm = f"jsondecode({place}.desired_state).AlarmName"
            arn = f'format("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:%s", {alarm})'
            return alarm if attribute == "id" else f"jsonencode({{ Arn = {arn} }})"
        # Without a name in the template, CloudFormation makes one of the logical id.
        # The tuple keeps the reference, and so Terraform's look for circles.
        stacks = f'[{place}, "egressprobe-prod-{logical}"][1]'
        own = f'startswith({place}.name, "egressprobe-") ? {stacks} : {place}.name'
        made = f"({own})" if SHAPES[origin].named else ""
        if attribute != "arn":
            return made or f"{place}.{attribute}"
        service, prefix, argument = _ARNS[kind]
        whole = made or f"{place}.{argument}"
        if kind == "aws_iam_role":
            whole = f'format("%s%s", coalesce({place}.path, "/"), {whole})'
        return f'format("arn:aws:{service.format(region=REGION)}:{ACCOUNT}:{prefix}%s", {whole})'


def _plain(value: Any) -> Any:
    """Blocks as lists of objects."""
    if isinstance(value, list) and value and isinstance(value[0], Block):
        return [_plain(one)[0] for one in value]
    if not isinstance(value, Block):
        return value
    body = {name: _plain(inner) for name, inner in value.body.items()}
    return Raw(f"{value.condition} ? {written([body])} : []") if value.condition else [body]
