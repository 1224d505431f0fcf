"""A Source out of a directory: the responses of an API server, one file a list.

`PLURAL.json`, as `kubectl get --raw PATH` writes it, or `kubectl get PLURAL -A -o json`; or its pages, in order,
`PLURAL-page-1.json` and so on. A file that holds {"httpStatus": N, "body": {...}} is a response with that status.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from egressprobe.discovery.kubernetes.resources import ListPage, Resource, read_page
from egressprobe.discovery.kubernetes.responses import ListResponse, TransientError, good_body, unreadable
from egressprobe.model.errors import InputError, os_words

MAX_FILE = 64 << 20
_PAGE = re.compile(r"-page-(\d+)")


class _Recorded(msgspec.Struct, rename="camel"):
    http_status: int | None = None
    body: msgspec.Raw = msgspec.Raw(b"")


class RecordedSource:
    """Raises InputError where `folder` is not a directory."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError("--from", f"{folder} is not a directory; give one with PLURAL.json files")
        self._folder = folder

    async def pages(self, resource: Resource) -> AsyncIterator[ListPage]:
        """Raises UnreadableError, ExpiredError and PageError."""
        for path in self._files(resource):
            yield read_page(_read(path, resource), resource)

    def _files(self, resource: Resource) -> list[Path]:
        whole = self._folder / f"{resource.plural}.json"
        if whole.exists():
            return [whole]
        numbered = {int(match[1]): path for path in self._folder.iterdir() if (match := _page_number(path, resource))}
        if not numbered:
            raise unreadable(resource, f"{whole.name} is not in {self._folder}")
        return [path for _, path in sorted(numbered.items())]


def _page_number(path: Path, resource: Resource) -> re.Match[str] | None:
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
        response = msgspec.json.decode(data, type=_Recorded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data  # reported by read_page
    if response.http_status is None:
        return data
    try:
        return good_body(ListResponse(response.http_status, {}, bytes(response.body)), resource, going_on=False)
    except TransientError as error:
        raise unreadable(resource, str(error)) from None
