"""The Kubernetes lists that discovery reads, and one page of such a list. Pure.

Items are decoded one by one (objects.py). Null lists are empty (Go's nil slices).

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from typing import NamedTuple

import msgspec


class Resource(NamedTuple):
    """A list of the API. limit: objects on a page, fewer where objects are large."""

    plural: str
    kind: str
    group: str
    path: str
    limit: int


def _resource(plural: str, kind: str, group: str, version: str, limit: int) -> Resource:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return Resource(plural, kind, group, f"{root}/{plural}", limit)


ADMISSION_GROUP = "admissionregistration.k8s.io"
VALIDATING = _resource("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", ADMISSION_GROUP, "v1", 100)
MUTATING = _resource("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", ADMISSION_GROUP, "v1", 100)
# Some are a megabyte of schema each.
CRDS = _resource("customresourcedefinitions", "CustomResourceDefinition", "apiextensions.k8s.io", "v1", 25)
APISERVICES = _resource("apiservices", "APIService", "apiregistration.k8s.io", "v1", 250)
SERVICES = _resource("services", "Service", "", "v1", 500)
SLICES = _resource("endpointslices", "EndpointSlice", "discovery.k8s.io", "v1", 250)
# A node's status lists its images.
NODES = _resource("nodes", "Node", "", "v1", 250)
# Objects that call, and nodes; then what the calls lead to.
FIRST = (VALIDATING, MUTATING, CRDS, APISERVICES, NODES)
THEN = (SERVICES, SLICES)
RESOURCES = (*FIRST, *THEN)


class PageError(ValueError):
    """The response is not a list of the resource."""


class _ListMeta(msgspec.Struct):
    next: str | None = msgspec.field(name="continue", default=None)


class _PageBody(msgspec.Struct):
    kind: str | None = None
    metadata: _ListMeta | None = None
    items: list[msgspec.Raw] | None = None
    message: str | None = None


class ListPage(NamedTuple):
    """The items, undecoded, and the continue token; empty at the end."""

    items: list[msgspec.Raw]
    next: str


def read_page(body: bytes, resource: Resource) -> ListPage:
    """One page of a list. Raises PageError."""
    try:
        page = msgspec.json.decode(body, type=_PageBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PageError(f"is not a list of {resource.plural}: {why(error)}") from None
    if page.kind not in (f"{resource.kind}List", "List"):
        message = f": {page.message}" if page.message else ""
        raise PageError(f"is a {page.kind or 'document of no kind'}, not a {resource.kind}List{message}")
    return ListPage(page.items or [], (page.metadata.next if page.metadata else None) or "")


def why(error: Exception) -> str:
    """Msgspec's message, without its quotes."""
    return str(error).replace("`", "")
