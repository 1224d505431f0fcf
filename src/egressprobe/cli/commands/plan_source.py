"""The plan of `egressprobe whatif`, from a file: which kind it is, and what it says; and the trial of it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from egressprobe.audit.whatif.compare import whatif
from egressprobe.audit.whatif.plan import ChangePlan
from egressprobe.audit.whatif.result import WhatIf
from egressprobe.audit.whatif.terraform.read import is_terraform, read_terraform
from egressprobe.aws.commands.script import read_script
from egressprobe.cli.commands.audit_source import AuditSource
from egressprobe.model.errors import InputError, os_words, short

# A plan of a whole account with its state.
_MAX_PLAN = 256 * 1024 * 1024


def read_plan_file(name: str) -> ChangePlan:
    """Raises InputError."""
    text = _text(name)
    if not text.lstrip().startswith(("{", "[")):
        return read_script(text, name)
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(short(name), f"is not JSON: {error}") from None
    return _of_document(document, name)


def _of_document(document: Any, name: str) -> ChangePlan:
    if not isinstance(document, Mapping):
        raise InputError(short(name), "is not a Terraform plan (terraform show -json)")
    try:
        if is_terraform(document):
            return read_terraform(document)
    except ValueError as error:
        raise InputError(short(name), str(error)) from None
    raise InputError(short(name), "is not a Terraform plan (terraform show -json)")


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
