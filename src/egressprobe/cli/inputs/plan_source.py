"""The plan of `egressprobe whatif`, from a file: which kind it is, and what it says; and the trial of it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from egressprobe.audit.whatif.cloudformation.change_set import CHANGE_SET, is_change_set, read_change_sets
from egressprobe.audit.whatif.compare import whatif
from egressprobe.audit.whatif.plan import ChangePlan
from egressprobe.audit.whatif.result import WhatIf
from egressprobe.audit.whatif.terraform.read import is_terraform, read_terraform
from egressprobe.aws.commands.script import read_script
from egressprobe.cli.inputs.audit_source import AuditSource
from egressprobe.model.errors import InputError, os_words, short
from egressprobe.targets.file import read_file

# A plan of a whole account with its state.
_MAX_PLAN = 256 * 1024 * 1024


def read_plan_file(name: str, template: str | None) -> ChangePlan:
    """template: of a change set. Raises InputError."""
    text = _text(name)
    if not text.lstrip().startswith(("{", "[")):
        plan = read_script(text, name)
    else:
        plan = _of_document(_decoded(text, name), name, template)
    if template is not None and plan.kind != CHANGE_SET:
        raise InputError("--template", f"goes with a change set, and {short(name)} is not one")
    return plan


def _decoded(text: str, name: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise InputError(short(name), "is not JSON: it is nested too deep") from None
    except msgspec.DecodeError as error:
        raise InputError(short(name), f"is not JSON: {error}") from None


def _of_document(document: Any, name: str, template: str | None) -> ChangePlan:
    try:
        if is_change_set(document):
            return read_change_sets(document, _template(template) if template else None)
        if isinstance(document, Mapping) and is_terraform(document):
            return read_terraform(document)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(short(name), str(error)) from None
    except (AttributeError, TypeError, LookupError, RecursionError):
        raise InputError(short(name), "is damaged: a part does not have the form of a plan") from None
    words = (
        "is neither a Terraform plan (terraform show -json) nor a change set (aws cloudformation describe-change-set)"
    )
    raise InputError(short(name), words)


def _template(name: str) -> Mapping[str, Any]:
    document = read_file(name, functions=True)
    if not isinstance(document, Mapping) or "Resources" not in document:
        raise InputError(short(name), "is not a CloudFormation template: it has no Resources")
    return document


def _text(name: str) -> str:
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
            data = stream.read(_MAX_PLAN + 1)
    except (OSError, ValueError) as error:
        words = os_words(error) if isinstance(error, OSError) else "it is not a path"
        raise InputError(short(name), f"cannot be read: {words}") from None
    if len(data) > _MAX_PLAN:
        raise InputError(short(name), f"is larger than {_MAX_PLAN >> 20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(short(name), "is not text; terraform show -json prints a plan file as text") from None


def try_plan(source: AuditSource, plan: ChangePlan, skip: Sequence[str], name: str) -> WhatIf:
    """Raises InputError for a snapshot or a plan with an invalid CIDR."""
    try:
        return whatif(source.snapshot, plan, source.targets, skip)
    except ValueError as error:
        raise InputError(short(name), str(error)) from None
