"""A Source out of a folder: what an API server answered, one file a list.

`PLURAL.json`, as `kubectl get --raw PATH` writes it, or `kubectl get PLURAL -A -o json`; or its pages, in order,
`PLURAL-page-1.json` and so on. A file that holds {"httpStatus": N, "body": {...}} is an answer with that status.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from egressprobe.discovery.kubernetes.resources import Page, Resource, read_page
from egressprobe.discovery.kubernetes.responses import Answer, TransientError, good_body, unreadable
from egressprobe.model.errors import InputError, os_words

MAX_FILE = 64 << 20
_PAGE = re.compile(r"-page-(\d+)")


class _Recorded(msgspec.Struct, rename="camel"):
    http_status: int | None = None
    body: msgspec.Raw = msgspec.Raw(b"")


class RecordedSource:
    """Raises InputError where `folder` is none."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError("--from", f"{folder} is no folder; give one with PLURAL.json files (services.json, ...)")
        self._folder = folder

    async def pages(self, resource: Resource) -> AsyncIterator[Page]:
        """Raises UnreadableError, ExpiredError and PageError."""
        for path in self._files(resource):
            yield read_page(_read(path, resource), resource)

    def _files(self, resource: Resource) -> list[Path]:
        whole = self._folder / f"{resource.plural}.json"
        if whole.exists():
            return [whole]
        numbered = {int(found[1]): path for path in self._folder.iterdir() if (found := _number(path, resource))}
        if not numbered:
            raise unreadable(resource, f"{whole.name} is not in {self._folder}")
        return [path for _, path in sorted(numbered.items())]


def _number(path: Path, resource: Resource) -> re.Match[str] | None:
    name = path.name.removeprefix(resource.plural)
    return _PAGE.match(name) if name != path.name and path.suffix == ".json" else None


def _read(path: Path, resource: Resource) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise unreadable(resource, f"{path.name} cannot be read: {os_words(error)}") from None
    if len(data) > MAX_FILE:
        raise unreadable(resource, f"{path.name} is larger than {MAX_FILE >> 20} MiB; record it in pages")
    try:
        answer = msgspec.json.decode(data, type=_Recorded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data  # said by whoever reads it as a list
    if answer.http_status is None:
        return data
    try:
        return good_body(Answer(answer.http_status, {}, bytes(answer.body)), resource, going_on=False)
    except TransientError as error:
        raise unreadable(resource, str(error)) from None
