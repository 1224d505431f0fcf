"""The Kubernetes lists that discovery reads, and one page of such a list. Pure.

Items stay as they came until they are read one by one (objects.py). Null lists are empty (Go's nil slices).

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from typing import NamedTuple

import msgspec


class Resource(NamedTuple):
    """A list of the API: `limit` objects a page; what an object may weigh decides."""

    plural: str
    kind: str
    group: str
    path: str
    limit: int


def _resource(plural: str, kind: str, group: str, version: str, limit: int) -> Resource:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return Resource(plural, kind, group, f"{root}/{plural}", limit)


_ADMISSION = "admissionregistration.k8s.io"
VALIDATING = _resource("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", _ADMISSION, "v1", 100)
MUTATING = _resource("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", _ADMISSION, "v1", 100)
# Some are a megabyte of schema each.
CRDS = _resource("customresourcedefinitions", "CustomResourceDefinition", "apiextensions.k8s.io", "v1", 25)
APISERVICES = _resource("apiservices", "APIService", "apiregistration.k8s.io", "v1", 250)
SERVICES = _resource("services", "Service", "", "v1", 500)
SLICES = _resource("endpointslices", "EndpointSlice", "discovery.k8s.io", "v1", 250)
# A node's status lists its images.
NODES = _resource("nodes", "Node", "", "v1", 250)
# Who calls, and what is to be found without knowing who calls what; then what the calls lead to.
FIRST = (VALIDATING, MUTATING, CRDS, APISERVICES, NODES)
THEN = (SERVICES, SLICES)
RESOURCES = (*FIRST, *THEN)


class PageError(ValueError):
    """The answer is no such list."""


class _ListMeta(msgspec.Struct):
    next: str | None = msgspec.field(name="continue", default=None)


class _Page(msgspec.Struct):
    kind: str | None = None
    metadata: _ListMeta | None = None
    items: list[msgspec.Raw] | None = None
    message: str | None = None


class Page(NamedTuple):
    """The items as they came, and where to go on; empty at the end."""

    items: list[msgspec.Raw]
    next: str


def read_page(body: bytes, resource: Resource) -> Page:
    """One page of a list. Raises PageError."""
    try:
        page = msgspec.json.decode(body, type=_Page)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PageError(f"is not a list of {resource.plural}: {why(error)}") from None
    if page.kind not in (f"{resource.kind}List", "List"):
        said = f": {page.message}" if page.message else ""
        raise PageError(f"is a {page.kind or 'document of no kind'}, not a {resource.kind}List{said}")
    return Page(page.items or [], (page.metadata.next if page.metadata else None) or "")


def why(error: Exception) -> str:
    """What msgspec holds against a document, without its quotes."""
    return str(error).replace("`", "")
